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

/// Writes blocks until one is refused; tells how many found room.
async fn fill(client: &Client) -> usize {
    let block = block();
    for number in 0..2 * DISK_BYTES / block.len() {
        let path = format!("/block-{number}");
        match client.create(&path, &block, mode::PERSISTENT).await {
            Ok(_) => {}
            Err(refused) => {
                assert_eq!(refused, SYSTEM_ERROR);
                return number;
            }
        }
    }
    panic!("the disk never fills");
}

fn block() -> Vec<u8> {
    vec![7; 100 << 10]
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
    let address = ensemble.address(ONLY);
    let client = Client::open(address, SOON).await.unwrap();
    client
        .create("/kept", b"kept", mode::PERSISTENT)
        .await
        .unwrap();
    let other = Client::open(address, SOON).await.unwrap();
    other
        .create("/ephemeral", b"", mode::EPHEMERAL)
        .await
        .unwrap();
    let written = fill(&client).await;
    println!("{written} blocks found room");
    what_makes_room_goes_on(&client, &other).await;
    let late = Client::open(address, SOON).await;
    late.expect("sessions are opened").close().await.unwrap();

    let session = client.session();
    drop(client);
    ensemble.kill(ONLY);
    ensemble.start_server(ONLY);
    ensemble.wait_until_serving(ONLY).await;
    let client = Client::attach(address, &session).await;
    let client = client.expect("the session survives");
    for number in 0..written {
        let stat = client.exists(&format!("/block-{number}"), false).await;
        assert_eq!(stat.unwrap().is_some(), number > 0, "block {number}");
    }

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
        .create("/after", &block(), mode::PERSISTENT)
        .await
        .unwrap();
}

async fn what_makes_room_goes_on(client: &Client, other: &Client) {
    let set = client.set_data("/kept", &block(), -1).await;
    assert_eq!(set.err(), Some(SYSTEM_ERROR));
    assert_eq!(client.get_data("/kept").await.unwrap().0, b"kept");
    client.delete("/block-0", -1).await.expect("deletes go on");
    other.close().await.expect("closing sessions goes on");
    let ephemeral = client.exists("/ephemeral", false).await;
    assert_eq!(ephemeral, Ok(None));
    assert!(!client.is_lost());
}
