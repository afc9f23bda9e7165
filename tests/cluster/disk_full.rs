//! A disk without room.

use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::operations::{Failure, mode};
use zoowarden_tests::wait::{SOON, until};

const ONLY: u8 = 1;
const DISK_BYTES: usize = 12 << 20;
const BALLAST_BYTES: usize = 6 << 20;
const SYSTEM_ERROR: Failure = Failure::Code(-1);

/// A small disk in memory. Dropping it takes it away.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> rustix::io::Result<SmallDisk> {
        let size = std::ffi::CString::new(format!("size={DISK_BYTES}")).ok();
        mount("tmpfs", at, "tmpfs", MountFlags::empty(), size.as_deref())?;
        Ok(SmallDisk(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still run. Fails only if it is gone already.
        let _ = unmount(self.0.as_path(), UnmountFlags::DETACH);
    }
}

/// Writes that need room are answered with an error; reads, deletes and sessions go on; room that
/// is made is used without anybody's help; a restart in between changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_refuses_what_needs_room_and_recovers_by_itself() {
    let plan = Plan::of(1)
        .set("preAllocSize=1024")
        .set("snapSizeLimitInKb=1024");
    let mut ensemble = Ensemble::prepare(plan).await;
    let data = ensemble.data_dir(ONLY);
    let _disk = match SmallDisk::mount(&data) {
        Ok(disk) => disk,
        Err(error) => {
            println!("left out: a small disk cannot be mounted here: {error}");
            return;
        }
    };
    let ballast = data.join("ballast");
    std::fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    ensemble.start_server(ONLY);
    ensemble.wait_until_serving(ONLY).await;
    let client = Client::open(ensemble.address(ONLY), SOON).await.unwrap();
    let other = Client::open(ensemble.address(ONLY), SOON).await.unwrap();
    client
        .create("/kept", b"kept", mode::PERSISTENT)
        .await
        .unwrap();
    other
        .create("/ephemeral", b"", mode::EPHEMERAL)
        .await
        .unwrap();

    let block = vec![7; 100 << 10];
    let mut written = 0;
    let refused = loop {
        let path = format!("/block-{written}");
        match client.create(&path, &block, mode::PERSISTENT).await {
            Ok(_) => written += 1,
            Err(refused) => break refused,
        }
        assert!(
            written < 2 * DISK_BYTES / block.len(),
            "the disk never fills"
        );
    };
    println!("{written} blocks found room");
    assert_eq!(refused, SYSTEM_ERROR);
    assert_eq!(
        client.set_data("/kept", &block, -1).await.err(),
        Some(SYSTEM_ERROR)
    );
    assert_eq!(client.get_data("/kept").await.unwrap().0, b"kept");
    client.delete("/block-0", -1).await.expect("deletes go on");
    other.close().await.expect("closing sessions goes on");
    assert!(client.exists("/ephemeral", false).await.unwrap().is_none());
    let late = Client::open(ensemble.address(ONLY), SOON).await;
    late.expect("sessions are opened")
        .close()
        .await
        .expect("and closed");
    assert!(!client.is_lost());

    let session = client.session();
    drop(client);
    ensemble.kill(ONLY);
    ensemble.start_server(ONLY);
    ensemble.wait_until_serving(ONLY).await;
    let client = Client::attach(ensemble.address(ONLY), &session).await;
    let client = client.expect("the session survives");
    for number in 1..written {
        let stat = client.exists(&format!("/block-{number}"), false).await;
        assert!(matches!(stat, Ok(Some(_))), "block {number}: {stat:?}");
    }
    assert!(client.exists("/block-0", false).await.unwrap().is_none());

    std::fs::remove_file(&ballast).unwrap();
    until("there is room again", SOON, async || {
        match client.set_data("/kept", b"more", -1).await {
            Ok(_) => Some(()),
            Err(failure) => {
                assert_eq!(failure, SYSTEM_ERROR);
                None
            }
        }
    })
    .await;
    client
        .create("/after", &block, mode::PERSISTENT)
        .await
        .unwrap();
}
