//! The GPT-2 spelling of bytes as printable characters, used by `vocab.json`, `tokenizer.json`
//! and GGUF files: bytes that print stand for themselves, the rest become U+0100, U+0101, ….

/// Whether a byte is spelled as the character of the same number.
const fn prints(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

const BYTE_TO_CHAR: [char; 256] = {
    let mut table = ['\0'; 256];
    let mut next = 0x100;
    let mut byte = 0usize;
    while byte < 256 {
        if prints(byte as u8) {
            table[byte] = byte as u8 as char;
        } else {
            table[byte] = match char::from_u32(next) {
                Some(c) => c,
                None => unreachable!(),
            };
            next += 1;
        }
        byte += 1;
    }
    table
};

/// 68 bytes do not print, so the spelled characters end at U+0143.
const SPELLED: usize = 0x144;

const CHAR_TO_BYTE: [i16; SPELLED] = {
    let mut table = [-1i16; SPELLED];
    let mut byte = 0;
    while byte < 256 {
        table[BYTE_TO_CHAR[byte] as usize] = byte as i16;
        byte += 1;
    }
    table
};

/// The character that stands for a byte.
pub(super) fn char_of(byte: u8) -> char {
    BYTE_TO_CHAR[usize::from(byte)]
}

/// The token that stands for some bytes.
pub(super) fn spell(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char_of(byte)).collect()
}

/// The bytes a token stands for. A token with a character outside the alphabet stands for its own
/// UTF-8 bytes, as in the reference implementation.
pub(super) fn bytes_of(token: &str) -> Vec<u8> {
    let spelled: Option<Vec<u8>> =
        token.chars().map(|c| CHAR_TO_BYTE.get(c as usize).and_then(|&b| u8::try_from(b).ok())).collect();
    spelled.unwrap_or_else(|| token.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_its_spelling() {
        for byte in 0..=255u8 {
            assert_eq!(bytes_of(&spell(&[byte])), [byte]);
        }
        assert_eq!(char_of(b' '), 'Ġ');
        assert_eq!(char_of(b'\n'), 'Ċ');
    }

    #[test]
    fn text_outside_the_alphabet_stands_for_itself() {
        assert_eq!(bytes_of("<｜User｜>"), "<｜User｜>".as_bytes());
    }
}
