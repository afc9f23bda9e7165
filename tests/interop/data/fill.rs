//! Everything there is, into a server.

use tokio::sync::watch;
use tokio::task::JoinSet;
use zoowarden::proto::{Acl, Code, Create, Id, OpCode, Request, SessionId};
use zoowarden::{Client, CreateMode, CreateOptions, State, Version};

use super::place::Place;

const ALICE: (&str, &str) = ("digest", "alice:secret");
/// How many clients write while a server is killed, and after how many writes of all it may be.
const WRITERS: usize = 4;
const WRITES_BEFORE_END: usize = 200;

fn acl(perms: i32, scheme: &str, id: &str) -> Acl {
    Acl {
        perms,
        id: Id::new(scheme, id),
    }
}

async fn create(client: &Client, path: &str, data: Option<&[u8]>, acl: Vec<Acl>) {
    let request = Request::Create(Create {
        op: OpCode::Create,
        path: path.into(),
        data,
        acl: Some(acl),
        flags: 0,
        ttl: None,
    });
    client.call(request).await.unwrap();
}

async fn plain(client: &Client, path: &str, data: &[u8]) {
    client
        .create(path, data, CreateMode::Persistent)
        .await
        .unwrap();
}

/// Fills a server.
pub(super) async fn fill(place: &Place, keeper: &Keeper) {
    let client = place.connect(&[ALICE]).await;
    kinds(&client).await;
    data(&client).await;
    lists(&client).await;
    changes(&client).await;
    quotas(&client).await;
    // A session that came and went, with what it owned.
    let gone = place.connect(&[]).await;
    for path in ["/gone-1", "/kinds/gone-2"] {
        gone.create(path, b"", CreateMode::Ephemeral).await.unwrap();
    }
    gone.close().await;
    keeper.own(&["/ephemeral", "/kinds/ephemeral"]).await;
    // Enough for snapshots in between.
    plain(&client, "/many", b"").await;
    for i in 0..400 {
        plain(
            &client,
            &format!("/many/{i}"),
            format!("value {i}").as_bytes(),
        )
        .await;
    }
    for i in (0..400).step_by(7) {
        let path = format!("/many/{i}");
        client.set(&path, b"changed", Version::Any).await.unwrap();
    }
    for i in (0..400).step_by(11) {
        client
            .delete(&format!("/many/{i}"), Version::Any)
            .await
            .unwrap();
    }
    client.close().await;
}

async fn kinds(client: &Client) {
    plain(client, "/kinds", b"").await;
    plain(client, "/kinds/persistent", b"p").await;
    for _ in 0..5 {
        let mode = CreateMode::PersistentSequential;
        client.create("/kinds/s-", b"", mode).await.unwrap();
    }
    client
        .delete("/kinds/s-0000000002", Version::Any)
        .await
        .unwrap();
    client
        .create("/kinds/used", b"", CreateMode::Container)
        .await
        .unwrap();
    plain(client, "/kinds/used/child", b"").await;
    client
        .create("/kinds/unused", b"", CreateMode::Container)
        .await
        .unwrap();
    let ttl_ms = 3_600_000;
    let mode = CreateMode::PersistentWithTtl { ttl_ms };
    client.create("/kinds/ttl", b"t", mode).await.unwrap();
    let mode = CreateMode::PersistentSequentialWithTtl { ttl_ms };
    client.create("/kinds/ttl-", b"t", mode).await.unwrap();
}

async fn data(client: &Client) {
    plain(client, "/data", b"").await;
    create(client, "/data/null", None, vec![Acl::open()]).await;
    plain(client, "/data/empty", b"").await;
    plain(client, "/data/bytes", &(0..=255).collect::<Vec<u8>>()).await;
    let large: Vec<u8> = (0..900_000_u32).map(|i| (i * i >> 7) as u8).collect();
    plain(client, "/data/large", &large).await;
    plain(client, "/data/zeros", &[0; 300_000]).await;
    plain(client, "/data/\u{e4}\u{4e16}\u{754c}\u{20ac}", b"unicode").await;
    plain(client, "/data/now null", b"x").await;
    let request = Request::SetData {
        path: "/data/now null".into(),
        data: None,
        version: 0,
    };
    client.call(request).await.unwrap();
}

async fn lists(client: &Client) {
    plain(client, "/acl", b"").await;
    let everything = 31;
    let digest = acl(everything, "digest", "bob:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
    let lists = [
        ("auth", vec![acl(everything, "auth", "")]),
        ("digest", vec![digest.clone()]),
        ("read", vec![acl(1, "world", "anyone"), digest.clone()]),
        (
            "ip",
            vec![
                acl(3, "ip", "10.0.0.0/8"),
                acl(everything, "world", "anyone"),
            ],
        ),
    ];
    for (name, list) in lists {
        create(client, &format!("/acl/{name}"), Some(b"x"), list).await;
    }
    plain(client, "/acl/set", b"").await;
    for perms in [31, 17, 31] {
        let list = [acl(perms, "world", "anyone"), digest.clone()];
        client
            .set_acl("/acl/set", &list, Version::Any)
            .await
            .unwrap();
    }
}

async fn changes(client: &Client) {
    plain(client, "/changes", b"").await;
    for i in 0..10_u8 {
        client.set("/changes", &[i], Version::Any).await.unwrap();
    }
    let done = client.transaction();
    let done = done.create("/multi", b"m", CreateMode::Persistent);
    let done = done.create("/multi/a", b"", CreateMode::Persistent);
    let done = done.create("/multi/c", b"", CreateMode::Container);
    let done = done.set("/multi", b"n", Version::Exactly(0));
    let done = done.check("/changes", Version::Exactly(10));
    let done = done.delete("/multi/a", Version::Any);
    done.commit().await.unwrap();
    let failed = client.transaction();
    let failed = failed.create("/multi/never", b"", CreateMode::Persistent);
    let failed = failed.delete("/none", Version::Any);
    failed.commit().await.unwrap_err();
    for (path, code) in [("/none", Code::NoNode), ("/multi", Code::NotEmpty)] {
        let error = client.delete(path, Version::Any).await.unwrap_err();
        assert_eq!(error.code(), code);
    }
    // Gone and come again.
    plain(client, "/again", b"1").await;
    plain(client, "/again/child", b"1").await;
    client.delete_recursive("/again").await.unwrap();
    plain(client, "/again", b"2").await;
}

async fn quotas(client: &Client) {
    plain(client, "/q", b"12345").await;
    plain(client, "/q/before", b"123").await;
    plain(client, "/zookeeper/quota/q", b"").await;
    let limits = b"count=100,bytes=-1=;byteHardLimit=1000;countHardLimit=-1";
    plain(client, "/zookeeper/quota/q/zookeeper_limits", limits).await;
    plain(
        client,
        "/zookeeper/quota/q/zookeeper_stats",
        b"count=0,bytes=0",
    )
    .await;
    plain(client, "/q/after", b"1234567").await;
    client.set("/q", b"", Version::Any).await.unwrap();
}

/// Writers that go on until their server is gone, and the paths they got acknowledged.
pub(super) struct Burst {
    writers: JoinSet<()>,
    acknowledged: watch::Receiver<Vec<String>>,
}

/// Lets writers loose, and comes back when they have done some.
pub(super) async fn burst(place: &Place) -> Burst {
    let mut writers = JoinSet::new();
    let (tell, mut acknowledged) = watch::channel(Vec::new());
    for writer in 0..WRITERS {
        let (address, tell) = (place.address(), tell.clone());
        writers.spawn(async move {
            let client = Client::connect(&address).await.unwrap();
            for i in 0.. {
                let path = format!("/burst-{writer}-{i}");
                let created = client.create(&path, b"b", CreateMode::Persistent).await;
                // Every other one comes and goes, so that snapshots see znodes that are gone.
                let lost = match (created, i % 2) {
                    (Ok(path), 0) => {
                        tell.send_modify(|paths| paths.push(path));
                        false
                    }
                    (Ok(path), _) => client.delete(&path, Version::Any).await.is_err(),
                    (Err(_), _) => true,
                };
                if lost {
                    break;
                }
            }
        });
    }
    let enough = acknowledged.wait_for(|paths| paths.len() >= WRITES_BEFORE_END);
    drop(enough.await.unwrap());
    Burst {
        writers,
        acknowledged,
    }
}

impl Burst {
    /// Paths of znodes that were acknowledged and not deleted again.
    pub(super) async fn finish(mut self) -> Vec<String> {
        // What was not sent yet would wait for another server.
        self.writers.shutdown().await;
        self.acknowledged.borrow().clone()
    }
}

/// A client whose session lives through everything.
pub(super) struct Keeper {
    client: Client,
    session: SessionId,
}

/// Opens it.
pub(super) async fn keep(place: &Place) -> Keeper {
    let client = place.connect(&[]).await;
    Keeper {
        session: client.session_id(),
        client,
    }
}

impl Keeper {
    async fn own(&self, paths: &[&str]) {
        for path in paths {
            let mode = CreateMode::Ephemeral;
            self.client.create(path, b"mine", mode).await.unwrap();
        }
        let mode = CreateMode::EphemeralSequential;
        self.client
            .create("/kinds/e-", b"mine", mode)
            .await
            .unwrap();
    }

    /// Goes to another server, with the session it has.
    pub(super) async fn moves_to(&self, place: &Place) {
        self.client.set_hosts(place.address().parse().unwrap());
        let stat = loop {
            match self.client.exists("/ephemeral").await {
                Ok(stat) => break stat,
                // Sent to the server that is gone.
                Err(error) if error.code() == Code::ConnectionLoss => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(self.client.state(), State::Connected);
        assert_eq!(self.client.session_id(), self.session);
        assert_eq!(stat.unwrap().ephemeral_owner, self.session.0);
    }

    /// Writes, at zxids above all that were.
    pub(super) async fn goes_on(&self, last: i64) {
        let options = CreateOptions::default();
        let created = self
            .client
            .create_with("/moved", b"here", &options)
            .await
            .unwrap();
        assert!(created.stat.czxid > last, "0x{:x}", created.stat.czxid);
        let mode = CreateMode::PersistentSequential;
        let path = self.client.create("/kinds/s-", b"", mode).await.unwrap();
        assert!(path.as_str() > "/kinds/s-0000000005", "{path}");
        let mode = CreateMode::Ephemeral;
        self.client.create("/new", b"mine", mode).await.unwrap();
        self.client
            .set("/changes", b"on", Version::Exactly(10))
            .await
            .unwrap();
        self.client
            .delete("/data/zeros", Version::Any)
            .await
            .unwrap();
    }

    pub(super) async fn ends(&self) {
        self.client.close().await;
    }
}
