//! Everything a server shows the super user.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use zoowarden::client::Answer;
use zoowarden::proto::{Acl, Request, Stat};

use super::place::Place;

/// One znode as a client sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) data: Option<Bytes>,
    pub(super) acl: Vec<Acl>,
    pub(super) stat: Stat,
}

/// Every znode by path.
pub(super) type Picture = BTreeMap<String, Shown>;

const DIFFERENCES_SHOWN: usize = 5;

/// Walks the whole tree of a running server.
pub(super) async fn look(place: &Place) -> Picture {
    let client = place.connect_as_super().await;
    let mut picture = Picture::new();
    let mut ahead = vec!["/".to_owned()];
    while let Some(path) = ahead.pop() {
        let named = path.as_str().into();
        let watch = false;
        let read = client.call(Request::GetData { path: named, watch });
        let Answer::Data(data, stat) = read.await.unwrap() else {
            panic!("no data of {path}");
        };
        let (acl, _) = client.get_acl(&path).await.unwrap();
        let base = path.trim_end_matches('/');
        for name in client.get_children(&path).await.unwrap() {
            ahead.push(format!("{base}/{name}"));
        }
        picture.insert(path, Shown { data, acl, stat });
    }
    client.close().await;
    picture
}

/// The first znodes that two servers show differently.
pub(super) fn differences(left: &Picture, right: &Picture) -> Vec<String> {
    let paths = left.keys().chain(right.keys()).collect::<BTreeSet<_>>();
    let differing = paths
        .into_iter()
        .filter(|path| left.get(*path) != right.get(*path));
    differing
        .take(DIFFERENCES_SHOWN)
        .map(|path| {
            let show = |picture: &Picture| picture.get(path).map(brief);
            format!("{path}: {:?} became {:?}", show(left), show(right))
        })
        .collect()
}

fn brief(znode: &Shown) -> String {
    let data = znode
        .data
        .as_ref()
        .map(|data| data.slice(..data.len().min(60)));
    format!("{data:?} {:?} {:?}", znode.acl, znode.stat)
}
