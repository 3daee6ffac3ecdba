//! The number of a snapshot: whoever computed something of one must never take another for it.

use std::collections::HashMap;

use auth::Change;
use testkit::suites::samples::{key_ring, role};

use crate::house::House;

#[tokio::test]
async fn each_state_in_force_has_a_higher_number() {
    let house = House::new().await;
    let number = || house.kernel.directory().present().generation();
    let first = number();
    house.make(vec![Change::PutRole(role("one")), Change::PutRole(role("two"))]).await;
    assert_eq!(number(), first + 1, "one change, however much is in it");
    house.set(HashMap::new()).await;
    assert_eq!(number(), first + 2);
    house.store.refuse(Some("full"));
    let refused = house.kernel.directory().amend(|_| Ok::<_, ()>((vec![Change::PutRole(role("three"))], ())));
    assert!(refused.await.is_err());
    assert_eq!(number(), first + 2, "what was not kept never was");
    house.store.refuse(None);
    // Another store's content begins to count where this one's was.
    let loaded = testkit::suites::maker::snapshot(auth::DirectoryImage::default(), HashMap::new());
    assert_eq!(loaded.generation(), 0);
    house.kernel.adopt(async || Ok::<_, auth::StoreError>(loaded)).await.unwrap();
    assert_eq!(number(), first + 3);
}

#[tokio::test]
async fn the_last_key_ring_is_the_one_in_force() {
    let house = House::new().await;
    assert!(house.kernel.directory().present().key_ring().is_none());
    for number in [1, 2] {
        house.make(vec![Change::PutKeyRing(Box::new(key_ring(number)))]).await;
        let held = house.kernel.directory().held();
        assert_eq!(*held.key_ring().unwrap().current().id, *format!("key_{number}-0"));
    }
}
