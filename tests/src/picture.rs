//! Everything a server shows a client, to compare servers by.

use std::collections::BTreeMap;

use zoowarden::proto::Stat;

use crate::client::Client;
use crate::operations::{Failure, data_and_stat, sorted_names};

/// Every znode with its data and metadata, by path.
pub type Picture = BTreeMap<String, (Vec<u8>, Stat)>;

/// Walks the whole tree of the server that `client` is connected to, after a sync. Nothing may
/// change meanwhile.
pub async fn picture(client: &Client) -> Result<Picture, Failure> {
    client.sync().await?;
    let mut picture = Picture::new();
    let mut level = vec![String::new()];
    while !level.is_empty() {
        let asked = level.iter().map(|path| {
            let path = if path.is_empty() { "/" } else { path };
            (
                client.send_get_data(path, false),
                client.send_children(path),
            )
        });
        let asked = asked.collect::<Vec<_>>();
        let mut next = Vec::new();
        for (path, (data, names)) in level.iter().zip(asked) {
            let (data, names) = (data.answer().await?, names.answer().await?);
            if data.err != 0 || names.err != 0 {
                return Err(Failure::Code(data.err.min(names.err)));
            }
            picture.insert(path.clone(), data_and_stat(&data));
            let children = sorted_names(&names).into_iter();
            next.extend(children.map(|name| format!("{path}/{name}")));
        }
        level = next;
    }
    Ok(picture)
}

/// Panics with the first difference of two pictures.
pub fn assert_same(left: &Picture, right: &Picture, what: &str) {
    for (path, znode) in left {
        assert_eq!(Some(znode), right.get(path), "{what}: {path}");
    }
    let more = right.keys().find(|path| !left.contains_key(*path));
    assert_eq!(more, None, "{what}: only on one side");
}
