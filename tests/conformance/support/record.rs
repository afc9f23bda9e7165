//! Records as bytes: written for requests, read from replies.

use bytes::BytesMut;
use zoowarden::proto::{Reader, Stat, Writer};

/// A record under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body(pub(crate) BytesMut);

impl Body {
    pub(crate) fn new() -> Body {
        Body::default()
    }

    fn with(mut self, write: impl FnOnce(&mut Writer<'_>)) -> Body {
        write(&mut Writer::new(&mut self.0));
        self
    }

    pub(crate) fn int(self, value: i32) -> Body {
        self.with(|w| w.i32(value))
    }

    pub(crate) fn long(self, value: i64) -> Body {
        self.with(|w| w.i64(value))
    }

    pub(crate) fn bool(self, value: bool) -> Body {
        self.with(|w| w.bool(value))
    }

    pub(crate) fn text(self, value: &str) -> Body {
        self.with(|w| w.text(value))
    }

    pub(crate) fn buffer(self, value: Option<&[u8]>) -> Body {
        self.with(|w| w.buffer(value))
    }

    pub(crate) fn raw(self, bytes: &[u8]) -> Body {
        self.with(|w| w.raw(bytes))
    }

    /// A vector of strings.
    pub(crate) fn texts(self, values: &[&str]) -> Body {
        values
            .iter()
            .fold(self.int(values.len() as i32), |body, value| {
                body.text(value)
            })
    }

    /// A list of `(perms, scheme, id)`.
    pub(crate) fn acl(self, list: &[(i32, &str, &str)]) -> Body {
        list.iter()
            .fold(self.int(list.len() as i32), |body, (perms, scheme, id)| {
                body.int(*perms).text(scheme).text(id)
            })
    }
}

/// The fields of a reply's record, taken from the front. A record that is cut short fails the
/// test.
#[derive(Debug)]
pub(crate) struct Fields<'a>(Reader<'a>);

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields(Reader::new(bytes))
    }

    pub(crate) fn int(&mut self) -> i32 {
        self.0.i32().unwrap()
    }

    pub(crate) fn long(&mut self) -> i64 {
        self.0.i64().unwrap()
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.0.bool().unwrap()
    }

    pub(crate) fn text(&mut self) -> String {
        self.0.text().unwrap().into_owned()
    }

    pub(crate) fn buffer(&mut self) -> Option<Vec<u8>> {
        self.0.buffer().unwrap().map(<[u8]>::to_vec)
    }

    pub(crate) fn texts(&mut self) -> Vec<String> {
        (0..self.int()).map(|_| self.text()).collect()
    }

    pub(crate) fn stat(&mut self) -> Stat {
        Stat::decode(&mut self.0).unwrap()
    }

    pub(crate) fn acl(&mut self) -> Vec<(i32, String, String)> {
        let entry = |fields: &mut Self| (fields.int(), fields.text(), fields.text());
        (0..self.int()).map(|_| entry(self)).collect()
    }

    /// The header of one result of a multi: type, done, err.
    pub(crate) fn multi_header(&mut self) -> (i32, bool, i32) {
        (self.int(), self.bool(), self.int())
    }

    /// Whether a stat is all there is.
    pub(crate) fn is_stat(&self) -> bool {
        self.0.rest().len() == Stat::BYTES
    }

    /// Whether more bytes than that are left.
    pub(crate) fn is_longer_than(&self, bytes: usize) -> bool {
        self.0.rest().len() > bytes
    }

    /// Nothing may follow.
    pub(crate) fn end(self) {
        assert_eq!(self.0.rest(), b"", "bytes behind the record");
    }
}
