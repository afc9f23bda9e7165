//! Every operation, and its errors.

use zoowarden::client::{Acl, Code, Id, Outcome, Read, ReadAnswer, ReadOptions, perms};
use zoowarden::{Client, ConnectString, CreateMode, CreateOptions, Version};

use super::{client, config, ensemble};

#[tokio::test]
async fn znode_is_created_read_changed_and_deleted() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    assert_eq!(
        client
            .create("/a", b"one", CreateMode::Persistent)
            .await
            .unwrap(),
        "/a"
    );
    let (data, stat) = client.get("/a").await.unwrap();
    assert_eq!(
        (&data[..], stat.version, stat.data_length),
        (&b"one"[..], 0, 3)
    );
    let stat = client
        .set("/a", b"two!", Version::Exactly(0))
        .await
        .unwrap();
    assert_eq!((stat.version, stat.data_length), (1, 4));
    assert_eq!(client.exists("/a").await.unwrap(), Some(stat));
    let error = client.delete("/a", Version::Exactly(0)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.nothing_changed()),
        (Code::BadVersion, true)
    );
    assert_eq!(
        error.to_string(),
        "delete /a: version does not match (BadVersion)"
    );
    client.delete("/a", Version::Any).await.unwrap();
    assert_eq!(client.exists("/a").await.unwrap(), None);
    assert_eq!(client.get("/a").await.unwrap_err().code(), Code::NoNode);
}

#[tokio::test]
async fn every_create_mode_makes_what_it_says() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    client.ensure_path("/q/x").await.unwrap();
    client.ensure_path("/q/x").await.unwrap();
    let first = client
        .create("/q/n-", b"", CreateMode::PersistentSequential)
        .await
        .unwrap();
    let second = client
        .create("/q/n-", b"", CreateMode::EphemeralSequential)
        .await
        .unwrap();
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("/q/n-0000000001", "/q/n-0000000002")
    );
    let mut options = CreateOptions {
        mode: CreateMode::Ephemeral,
        ..CreateOptions::default()
    };
    let created = client.create_with("/q/e", b"", &options).await.unwrap();
    assert_eq!(created.stat.ephemeral_owner, client.session_id().0);
    assert_eq!(client.get_ephemerals("/q/e").await.unwrap(), ["/q/e"]);
    options.mode = CreateMode::Container;
    options.parents = true;
    let created = client
        .create_with("/deep/er/c", b"", &options)
        .await
        .unwrap();
    assert_eq!(
        (created.path.as_str(), created.stat.version),
        ("/deep/er/c", 0)
    );
    let ttl = CreateMode::PersistentWithTtl { ttl_ms: 1_000 };
    let refused = client.create("/ttl", b"", ttl).await.unwrap_err();
    // Off unless the server's extendedTypesEnabled says otherwise.
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(client.get_all_children_number("/q").await.unwrap(), 4);
    assert_eq!(client.delete_recursive("/q").await.unwrap(), 5);
    assert_eq!(
        client.delete_recursive("/q").await.unwrap_err().code(),
        Code::NoNode
    );
}

#[tokio::test]
async fn children_acls_and_identities_are_told() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    client.add_auth("digest", b"bob:secret").await.unwrap();
    let ids = client.who_am_i().await.unwrap();
    assert!(ids.contains(&Id::new("digest", "bob")), "{ids:?}");
    let acl = [Acl {
        perms: perms::ALL,
        id: Id::new("auth", ""),
    }];
    let options = CreateOptions {
        acl: acl.to_vec(),
        ..CreateOptions::default()
    };
    client.create_with("/mine", b"", &options).await.unwrap();
    let (acl, stat) = client.get_acl("/mine").await.unwrap();
    assert_eq!((&*acl[0].id.scheme, stat.aversion), ("digest", 0));
    let other = super::client(&ensemble).await;
    let error = other
        .create("/mine/x", b"", CreateMode::Persistent)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::NoAuth);
    let stat = client
        .set_acl("/mine", &[Acl::open()], Version::Exactly(0))
        .await
        .unwrap();
    assert_eq!(stat.aversion, 1);
    other
        .create("/mine/x", b"", CreateMode::Persistent)
        .await
        .unwrap();
    assert_eq!(client.get_children("/mine").await.unwrap(), ["x"]);
    let options = ReadOptions { linearizable: true };
    let (names, stat) = client.get_children_with("/mine", options).await.unwrap();
    assert_eq!((names.len(), stat.num_children), (1, 1));
}

#[tokio::test]
async fn transaction_is_all_or_nothing_and_names_the_culprit() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    client
        .create("/a", b"", CreateMode::Persistent)
        .await
        .unwrap();
    let outcomes = client
        .transaction()
        .check("/a", Version::Exactly(0))
        .create("/b", b"1", CreateMode::Persistent)
        .set("/a", b"2", Version::Exactly(0))
        .delete("/b", Version::Any)
        .commit()
        .await
        .unwrap();
    assert_eq!(outcomes[0], Outcome::Checked);
    assert!(matches!(&outcomes[1], Outcome::CreatedWithStat(path, _) if path == "/b"));
    assert!(matches!(&outcomes[2], Outcome::Set(stat) if stat.version == 1));
    assert_eq!(outcomes[3], Outcome::Deleted);
    let failed = client
        .transaction()
        .create("/c", b"", CreateMode::Persistent)
        .check("/a", Version::Exactly(0))
        .commit()
        .await
        .unwrap_err();
    assert_eq!(
        (failed.index, failed.error.code()),
        (Some(1), Code::BadVersion)
    );
    assert!(failed.error.nothing_changed());
    assert_eq!(
        failed.to_string(),
        "change 1 of the transaction: check /a: version does not match (BadVersion)"
    );
    assert_eq!(client.exists("/c").await.unwrap(), None);
}

#[tokio::test]
async fn several_reads_see_one_moment() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    client
        .create("/a", b"x", CreateMode::Persistent)
        .await
        .unwrap();
    client
        .create("/a/b", b"", CreateMode::Persistent)
        .await
        .unwrap();
    let reads = [Read::Data("/a"), Read::Children("/a"), Read::Data("/none")];
    let answers = client.multi_read(&reads).await.unwrap();
    assert!(matches!(&answers[0], Ok(ReadAnswer::Data(Some(data), _)) if &data[..] == b"x"));
    assert_eq!(answers[1], Ok(ReadAnswer::Children(vec!["b".to_owned()])));
    assert_eq!(answers[2], Err(Code::NoNode));
}

#[tokio::test]
async fn chroot_is_put_before_and_taken_off_every_path() {
    let ensemble = ensemble(1).await;
    let whole = client(&ensemble).await;
    whole.ensure_path("/app/one").await.unwrap();
    let mut below = config(&ensemble);
    let hosts = format!("{}/app/one", ensemble.connect_string());
    below.hosts = hosts.parse::<ConnectString>().unwrap();
    let below = Client::connect_with(below).await.unwrap();
    let path = below
        .create("/s-", b"", CreateMode::EphemeralSequential)
        .await
        .unwrap();
    assert_eq!(path, "/s-0000000000");
    assert!(
        whole
            .exists("/app/one/s-0000000000")
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(below.get_children("/").await.unwrap(), ["s-0000000000"]);
    assert_eq!(below.get_ephemerals("/").await.unwrap(), ["/s-0000000000"]);
    let outcomes = below
        .transaction()
        .create("/t", b"", CreateMode::Persistent)
        .commit()
        .await;
    assert!(matches!(&outcomes.unwrap()[0], Outcome::CreatedWithStat(path, _) if path == "/t"));
    let (_, _, mut watcher) = below.get_children_and_watch("/").await.unwrap();
    whole
        .create("/app/one/u", b"", CreateMode::Persistent)
        .await
        .unwrap();
    let event = watcher.next().await.unwrap();
    assert!(
        matches!(&event, zoowarden::WatchEvent::Changed { path, .. } if path == "/"),
        "{event:?}"
    );
    let error = below.get("/none").await.unwrap_err();
    assert_eq!(error.path(), Some("/none"));
    below.get_config().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_before_it_is_sent() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    let zxid = client.last_zxid();
    for path in ["", "a", "/a/", "/a//b", "/a/../b", "/\u{1}"] {
        let error = client
            .create(path, b"", CreateMode::Persistent)
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.nothing_changed()),
            (Code::BadArguments, true),
            "{path:?}"
        );
    }
    let large = vec![0; 1_048_576];
    let error = client
        .create("/large", &large, CreateMode::Persistent)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
    assert!(error.to_string().contains("allowed are 1048575"), "{error}");
    assert_eq!(client.last_zxid(), zxid);
    client
        .create("/still/", b"", CreateMode::PersistentSequential)
        .await
        .unwrap_err();
    assert!("127.0.0.1".parse::<ConnectString>().is_ok());
    let error = Client::connect("127.0.0.1:x").await.unwrap_err();
    assert!(
        error.to_string().contains("the port is a number"),
        "{error}"
    );
}

#[tokio::test]
async fn parents_below_a_chroot_that_is_not_there_are_not_tried_for_ever() {
    let ensemble = ensemble(1).await;
    let mut below = config(&ensemble);
    let hosts = format!("{}/not/there", ensemble.connect_string());
    below.hosts = hosts.parse::<ConnectString>().unwrap();
    let below = Client::connect_with(below).await.unwrap();
    let options = CreateOptions {
        parents: true,
        ..CreateOptions::default()
    };
    for path in ["/x", "/x/y"] {
        let error = below.create_with(path, b"", &options).await.unwrap_err();
        assert_eq!(error.code(), Code::NoNode, "{path}");
    }
}
