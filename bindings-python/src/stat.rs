//! `Stat`, the metadata of a znode, as a frozen Python value.

use std::hash::{Hash, Hasher};

use pyo3::prelude::*;

/// A znode's metadata.
#[pyclass(frozen, eq, hash, module = "zoowarden", name = "Stat")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PyStat(zoowarden::proto::Stat);

impl From<zoowarden::proto::Stat> for PyStat {
    fn from(stat: zoowarden::proto::Stat) -> Self {
        Self(stat)
    }
}

impl Hash for PyStat {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let stat = &self.0;
        (stat.czxid, stat.mzxid, stat.pzxid, stat.aversion).hash(hasher);
    }
}

/// The fields in the protocol's order.
type Fields = (i64, i64, i64, i64, i32, i32, i32, i64, i32, i32, i64);

#[pymethods]
impl PyStat {
    /// Made by the client; programs make their own for tests.
    #[new]
    #[pyo3(signature = (czxid=0, mzxid=0, ctime=0, mtime=0, version=0, cversion=0, aversion=0,
        ephemeral_owner=0, data_length=0, num_children=0, pzxid=0))]
    #[allow(clippy::too_many_arguments, reason = "the record has that many fields")]
    fn new(
        czxid: i64,
        mzxid: i64,
        ctime: i64,
        mtime: i64,
        version: i32,
        cversion: i32,
        aversion: i32,
        ephemeral_owner: i64,
        data_length: i32,
        num_children: i32,
        pzxid: i64,
    ) -> Self {
        Self(zoowarden::proto::Stat {
            czxid,
            mzxid,
            ctime,
            mtime,
            version,
            cversion,
            aversion,
            ephemeral_owner,
            data_length,
            num_children,
            pzxid,
        })
    }

    /// zxid of the change that created the znode.
    #[getter]
    fn czxid(&self) -> i64 {
        self.0.czxid
    }

    /// zxid of the last change of its data.
    #[getter]
    fn mzxid(&self) -> i64 {
        self.0.mzxid
    }

    /// Creation time, milliseconds since 1970.
    #[getter]
    fn ctime(&self) -> i64 {
        self.0.ctime
    }

    /// Time of the last change of its data, milliseconds since 1970.
    #[getter]
    fn mtime(&self) -> i64 {
        self.0.mtime
    }

    /// Number of data changes.
    #[getter]
    fn version(&self) -> i32 {
        self.0.version
    }

    /// Number of changes of the list of children.
    #[getter]
    fn cversion(&self) -> i32 {
        self.0.cversion
    }

    /// Number of ACL changes.
    #[getter]
    fn aversion(&self) -> i32 {
        self.0.aversion
    }

    /// The owning session of an ephemeral znode, else 0.
    #[getter]
    fn ephemeral_owner(&self) -> i64 {
        self.0.ephemeral_owner
    }

    /// Bytes of data.
    #[getter]
    fn data_length(&self) -> i32 {
        self.0.data_length
    }

    /// Direct children.
    #[getter]
    fn num_children(&self) -> i32 {
        self.0.num_children
    }

    /// zxid of the last creation or deletion of a child.
    #[getter]
    fn pzxid(&self) -> i64 {
        self.0.pzxid
    }

    /// The eleven fields in the protocol's order.
    fn as_tuple(&self) -> Fields {
        let s = &self.0;
        let (c, m, p) = (s.czxid, s.mzxid, s.pzxid);
        let (version, cversion, aversion) = (s.version, s.cversion, s.aversion);
        let (owner, length, children) = (s.ephemeral_owner, s.data_length, s.num_children);
        (
            c, m, s.ctime, s.mtime, version, cversion, aversion, owner, length, children, p,
        )
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, Fields)> {
        let class = slf.get_type().into_any().unbind();
        Ok((class, slf.get().as_tuple()))
    }

    fn __repr__(&self) -> String {
        let s = &self.0;
        format!(
            "Stat(czxid={}, mzxid={}, ctime={}, mtime={}, version={}, cversion={}, aversion={}, \
             ephemeral_owner={}, data_length={}, num_children={}, pzxid={})",
            s.czxid,
            s.mzxid,
            s.ctime,
            s.mtime,
            s.version,
            s.cversion,
            s.aversion,
            s.ephemeral_owner,
            s.data_length,
            s.num_children,
            s.pzxid
        )
    }
}
