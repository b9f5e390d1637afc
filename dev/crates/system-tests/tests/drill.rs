//! One settlement through many kills, and its correction under repeated callbacks. `./dev/chaos --settlement` does it
//! with a million bets.

use std::rc::Rc;

use system_tests::cluster::Cluster;
use system_tests::drill::{Size, settle_through_kills};
use system_tests::progress::Progress;

#[actix_rt::test]
async fn a_settlement_through_kills_and_its_correction_under_repeated_callbacks_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Rc::new(Cluster::start(folder.path(), None).await.unwrap());
    let size = Size {
        seed: 1,
        bets: 100_000,
        kills: 6,
    };
    let drilled = settle_through_kills(cluster, size, &Progress::new("drill"))
        .await
        .unwrap();
    println!("{drilled:?}");
    assert_eq!(drilled.settlements, 200_000);
    assert!(
        drilled.kills >= 3,
        "it was over before it was attacked: {drilled:?}"
    );
    assert!(drilled.repeated_callbacks > 20, "{drilled:?}");
}
