//! Notes that nft keeps beside objects: the kernel stores them unread.
//!
//! libnftnl's form (`include/udata.h`, `include/libnftnl/udata.h`): records of one byte type, one byte length and
//! the value, one after the other.

/// `NFTNL_UDATA_RULE_COMMENT` and `NFTNL_UDATA_SET_ELEM_COMMENT`, the same number for both.
const COMMENT: u8 = 0;
/// `NFTNL_UDATA_SET_KEYBYTEORDER`.
const SET_KEY_BYTEORDER: u8 = 0;
/// `NFTNL_UDATA_SET_DATABYTEORDER`.
const SET_DATA_BYTEORDER: u8 = 1;
/// `enum byteorder` of nft (`include/datatype.h`).
const HOST_ENDIAN: u32 = 1;
const BIG_ENDIAN: u32 = 2;

/// The comment's record; none for nobody's.
pub fn comment(owner: &str) -> Option<Vec<u8>> {
    let text = owner.as_bytes();
    if text.is_empty() {
        return None;
    }
    let length = u8::try_from(text.len() + 1).ok()?;
    let mut data = vec![COMMENT, length];
    data.extend_from_slice(text);
    data.push(0);
    Some(data)
}

/// The comment among the records, if there is one.
pub fn read_comment(mut data: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = data {
        let value = rest.get(..usize::from(*length))?;
        if *kind == COMMENT {
            let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        data = rest.get(usize::from(*length)..)?;
    }
    None
}

/// Tells nft that keys are in network order and marks in the host's; without it marks are printed with their
/// bytes swapped.
pub fn byte_orders() -> Vec<u8> {
    let mut data = vec![SET_KEY_BYTEORDER, 4];
    data.extend_from_slice(&BIG_ENDIAN.to_ne_bytes());
    data.extend_from_slice(&[SET_DATA_BYTEORDER, 4]);
    data.extend_from_slice(&HOST_ENDIAN.to_ne_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_comes_back() {
        assert_eq!(comment("web"), Some(vec![0, 4, b'w', b'e', b'b', 0]));
        assert_eq!(read_comment(&[9, 1, 7, 0, 4, b'w', b'e', b'b', 0]), Some("web".to_string()));
    }

    #[test]
    fn cut_records_are_no_comment() {
        assert_eq!(read_comment(&[0, 9, b'w']), None);
        assert_eq!(read_comment(&[1]), None);
        assert_eq!(read_comment(&[]), None);
    }
}
