//! The primitives of the wire: big-endian numbers and strings of bytes behind their length.

use bytes::{Buf, BufMut, Bytes};

use super::error::{Error, Reason, Result};

/// Appends a string: its length, then its bytes.
pub(super) fn put_string(buffer: &mut impl BufMut, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("no path and no chunk has 4 GiB");
    buffer.put_u32(length);
    buffer.put_slice(bytes);
}

/// Takes a number of 32 bits.
pub(super) fn take_u32(packet: &mut Bytes) -> Result<u32> {
    packet.try_get_u32().map_err(|_| too_short())
}

/// Takes a number of 64 bits.
pub(super) fn take_u64(packet: &mut Bytes) -> Result<u64> {
    packet.try_get_u64().map_err(|_| too_short())
}

/// Takes a string, without copying it.
pub(super) fn take_string(packet: &mut Bytes) -> Result<Bytes> {
    let length = take_u32(packet)? as usize;
    if length > packet.len() {
        return Err(too_short());
    }
    Ok(packet.split_to(length))
}

fn too_short() -> Error {
    Error::new(Reason::Protocol, "the server sent a packet that ends too early")
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_is_taken(bytes: Vec<u8>, small: u32, large: u64) {
            let mut buffer = BytesMut::new();
            put_string(&mut buffer, &bytes);
            buffer.put_u32(small);
            buffer.put_u64(large);
            let mut packet = buffer.freeze();
            prop_assert_eq!(&take_string(&mut packet).unwrap()[..], &bytes[..]);
            prop_assert_eq!(take_u32(&mut packet).unwrap(), small);
            prop_assert_eq!(take_u64(&mut packet).unwrap(), large);
            prop_assert!(packet.is_empty());
        }

        #[test]
        fn a_packet_cut_anywhere_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40), keep: prop::sample::Index) {
            let mut buffer = BytesMut::new();
            put_string(&mut buffer, &bytes);
            let mut packet = buffer.freeze();
            packet.truncate(keep.index(packet.len()));
            prop_assert_eq!(take_string(&mut packet).unwrap_err().reason(), Reason::Protocol);
        }
    }
}
