//! The character alphabet of byte-level vocabularies.
//!
//! GPT-2 writes each byte of a token as a printable character, so that tokens can stand in a
//! text file: printable Latin-1 bytes stand for themselves, the 68 others for U+0100 onwards
//! (a space is `Ġ`).

/// Whether a byte stands for itself.
const fn is_itself(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

const TABLE: [char; 256] = {
    let mut table = ['\0'; 256];
    let (mut byte, mut other) = (0usize, 0u32);
    while byte < 256 {
        if is_itself(byte as u8) {
            table[byte] = byte as u8 as char;
        } else {
            table[byte] = match char::from_u32(0x100 + other) {
                Some(c) => c,
                None => '\0',
            };
            other += 1;
        }
        byte += 1;
    }
    table
};

/// The inverse, for characters below U+0144.
const INVERSE: [Option<u8>; 0x144] = {
    let mut inverse = [None; 0x144];
    let mut byte = 0;
    while byte < 256 {
        inverse[TABLE[byte] as usize] = Some(byte as u8);
        byte += 1;
    }
    inverse
};

/// The character that stands for a byte.
pub(crate) fn to_char(byte: u8) -> char {
    TABLE[byte as usize]
}

/// The byte a character stands for.
pub(crate) fn from_char(c: char) -> Option<u8> {
    INVERSE.get(c as usize).copied().flatten()
}

/// The bytes a token of a byte-level vocabulary stands for; none if some character of it
/// stands for no byte.
pub(crate) fn from_token(token: &str) -> Option<Vec<u8>> {
    token.chars().map(from_char).collect()
}

/// The byte of a token written `<0xHH>`: exactly two hexadecimal digits.
pub(crate) fn from_hex_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let strict = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    strict.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_a_bijection() {
        assert!((0..=255).all(|byte| from_char(to_char(byte)) == Some(byte)));
        assert_eq!((to_char(b' '), to_char(b'\n'), to_char(b'a')), ('Ġ', 'Ċ', 'a'));
    }

    #[test]
    fn g18_byte_tokens_need_exactly_two_hex_digits() {
        assert_eq!(from_hex_token("<0x0A>"), Some(10));
        assert_eq!(from_hex_token("<0xff>"), Some(255));
        for odd in ["<0x-1>", "<0xZZ>", "<0x100>", "<0x1>", "<0x>", "<0x+1>", "0x41", "<0x41> "] {
            assert_eq!(from_hex_token(odd), None, "{odd}");
        }
    }
}
