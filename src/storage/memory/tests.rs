use super::*;

mod conformance {
    use super::*;

    crate::storage_conformance_suite!(|options| async move { MemoryStorage::new(MemoryConfig::default(), options) });
}
