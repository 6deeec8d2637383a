//! Safetensors headers: never laxer than the reference implementation, and of one mind with it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weights::Limits;

fuzz_target!(|bytes: &[u8]| {
    let Ok(ours) = weights::safetensors::parse(bytes, bytes.len() as u64, &Limits::DEFAULT) else { return };
    let theirs = safetensors::SafeTensors::deserialize(bytes).expect("the reference accepts what we accept");
    assert_eq!(ours.tensors.len(), theirs.len());
    for tensor in &ours.tensors {
        let view = theirs.tensor(&tensor.name).expect("the same tensor");
        assert_eq!(view.shape(), tensor.shape);
        assert_eq!(format!("{:?}", view.dtype()), tensor.dtype.name());
        assert_eq!(view.data(), &bytes[tensor.range.start as usize..tensor.range.end as usize]);
    }
});
