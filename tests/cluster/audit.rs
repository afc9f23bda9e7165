//! The audit log of a real server, against the lines that Apache ZooKeeper 3.8.0 wrote for the same
//! requests (recorded with its `Slf4jAuditLogger`, `audit.enable=true`).

use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::operations::{Failure, NEW_CONFIG_NO_QUORUM, mode};
use zoowarden_tests::wait::{SOON, until};

const ONLY: u8 = 1;

/// The mode of a persistent znode with a number behind its name.
const SEQUENTIAL: i32 = 2;

/// What 3.8.0 wrote, without what the logger puts before it. `@` stands for session, user and ip.
const RECORDED: &str = "\
INFO user=root|operation=serverStart|result=success
INFO @|operation=create|znode=/a|znode_type=persistent|result=success
ERROR @|operation=create|znode=/a|znode_type=persistent|result=failure
INFO @|operation=create|znode=/a/s-0000000000|znode_type=persistent_sequential|result=success
INFO @|operation=create|znode=/a/e|znode_type=ephemeral|result=success
ERROR @|operation=create|znode=/none/x|znode_type=persistent|result=failure
INFO @|operation=setData|znode=/a|result=success
ERROR @|operation=setData|znode=/none|result=failure
ERROR @|operation=setData|znode=/a|result=failure
ERROR @|operation=delete|znode=/none|result=failure
ERROR @|operation=delete|znode=/a|result=failure
INFO %|user=root|operation=ephemeralZNodeDeletionOnSessionCloseOrExpire|znode=/a/e|result=success
INFO user=root|operation=serverStop|result=invoked";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_is_word_for_word_that_of_zookeeper() {
    let mut ensemble = Ensemble::prepare(
        Plan::of(1)
            .set("audit.enable=true")
            .set("zoowarden.audit.file=audit.log"),
    )
    .await;
    ensemble.start_server(ONLY);
    ensemble.wait_until_serving(ONLY).await;
    let client = Client::open(ensemble.address(ONLY), SOON).await.unwrap();
    // In the order of the recording; those that it says failed do.
    let _ = client.create("/a", b"x", mode::PERSISTENT).await;
    let _ = client.create("/a", b"x", mode::PERSISTENT).await;
    let _ = client.create("/a/s-", b"", SEQUENTIAL).await;
    let _ = client.create("/a/e", b"", mode::EPHEMERAL).await;
    let _ = client.create("/none/x", b"", mode::PERSISTENT).await;
    let _ = client.set_data("/a", b"y", -1).await;
    let _ = client.set_data("/none", b"y", -1).await;
    let _ = client.set_data("/a", b"y", 99).await;
    let _ = client.delete("/none", -1).await;
    let _ = client.delete("/a", -1).await;
    let session = client.session().id;
    client.close().await.unwrap();
    assert!(ensemble.terminate(ONLY).await.success());

    let file = ensemble.folder(ONLY).join("audit.log");
    let text = std::fs::read_to_string(file).unwrap();
    let account = text
        .split_once("user=")
        .and_then(|(_, rest)| rest.split('\t').next())
        .unwrap();
    let who = format!("session={session}\tuser=127.0.0.1\tip=127.0.0.1");
    let want = RECORDED
        .replace('|', "\t")
        .replace('@', &who)
        .replace('%', &format!("session={session}"))
        .replace("user=root", &format!("user={account}"));
    let got = text.lines().map(|line| {
        let (_, line) = line.split_once(' ').expect("a time");
        line.replacen(" audit: ", " ", 1)
    });
    assert_eq!(got.collect::<Vec<_>>().join("\n"), want);

    // The log stream has them, too, whatever else it leaves out.
    let log = until("the log has the last line", SOON, async || {
        let log = ensemble.log(ONLY);
        log.contains("operation=serverStop").then_some(log)
    })
    .await;
    assert!(log.contains("audit: "), "{log}");
}

/// A reconfig is written when it is decided, once, on the server that was asked; and the log that
/// is applied again after a restart is not written again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconfig_is_audited_when_it_is_done_or_refused() {
    let plan = super::reconfig::changeable(0)
        .set("audit.enable=true")
        .set("zoowarden.audit.file=audit.log");
    let mut ensemble = Ensemble::start(plan).await;
    let leader = ensemble.wait_for_leader(&[1, 2, 3]).await;
    let asked = [1, 2, 3].into_iter().find(|id| *id != leader).unwrap();
    let client = Client::open(ensemble.address(asked), SOON).await.unwrap();
    let observer = "server.9=127.0.0.1:1:2:observer;3";
    client.reconfig(Some(observer), None).await.unwrap();
    let strangers = "server.7=127.0.0.1:1:2;3,server.8=127.0.0.1:4:5;6";
    let refused = client.reconfig(Some(strangers), Some("1")).await;
    assert_eq!(refused, Err(Failure::Code(NEW_CONFIG_NO_QUORUM)));
    let session = client.session().id;
    let who = format!("session={session}\tuser=127.0.0.1\tip=127.0.0.1\toperation=reconfig");
    let want = [
        format!("{who}\tresult=success"),
        format!("{who}\tresult=failure"),
    ];
    let lines = |id: u8| {
        let file = ensemble.folder(id).join("audit.log");
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(" audit: "));
        let lines = lines.map(|(_, line)| line.to_owned());
        let reconfigs = lines.filter(|line| line.contains("operation=reconfig"));
        reconfigs.collect::<Vec<_>>()
    };
    until("both are written", SOON, async || {
        (lines(asked) == want).then_some(())
    })
    .await;
    for other in [1, 2, 3].into_iter().filter(|id| *id != asked) {
        assert_eq!(lines(other), Vec::<String>::new());
    }
    assert!(ensemble.terminate(asked).await.success());
    ensemble.start_server(asked);
    ensemble.wait_until_serving(asked).await;
    assert!(ensemble.terminate(asked).await.success());
    let file = ensemble.folder(asked).join("audit.log");
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text.matches("operation=serverStop").count(), 2);
    assert_eq!(text.matches("operation=reconfig").count(), 2, "{text}");
}

/// A server that is to be audited and cannot be does not start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_file_that_cannot_be_opened_stops_the_start() {
    let plan = Plan::of(1)
        .set("audit.enable=true")
        .set("zoowarden.audit.file=/nowhere/audit.log");
    let mut ensemble = Ensemble::prepare(plan).await;
    ensemble.start_server(ONLY);
    assert_eq!(ensemble.wait_until_ended(ONLY).await.code(), Some(1));
    let log = ensemble.log(ONLY);
    assert!(log.contains("/nowhere/audit.log cannot be opened"), "{log}");
}
