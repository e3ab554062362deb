//! Names of people.

use super::{
    catalogue::{CULTURES, DOMAIN},
    dice::Dice,
};

/// A person's name.
pub(super) struct Person {
    given: &'static str,
    family: &'static str,
    family_first: bool,
}

impl Person {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let mut left = dice.below(CULTURES.iter().map(|culture| culture.weight).sum());
        let mut chosen = &CULTURES[0];
        for culture in CULTURES {
            chosen = culture;
            if left < culture.weight {
                break;
            }
            left -= culture.weight;
        }
        Self { given: dice.pick(chosen.given), family: dice.pick(chosen.family), family_first: chosen.family_first }
    }

    pub(super) fn display_name(&self) -> String {
        if self.family_first {
            format!("{} {}", self.family, self.given)
        } else {
            format!("{} {}", self.given, self.family)
        }
    }

    /// An address of one's own: people share names, but not numbers.
    pub(super) fn email(&self, number: usize) -> String {
        format!("{}.{}.{number}@{DOMAIN}", plain(self.given), plain(self.family))
    }
}

/// A name in small letters from a to z.
fn plain(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        let plain = match letter {
            'a'..='z' => letter,
            'á' | 'à' | 'ã' | 'å' | 'ä' | 'ą' | 'ả' | 'ầ' | 'ạ' => 'a',
            'ç' | 'ć' => 'c',
            'é' | 'è' | 'ê' | 'ë' | 'ę' | 'ễ' => 'e',
            'ğ' => 'g',
            'í' | 'î' | 'ï' | 'ı' => 'i',
            'ł' => 'l',
            'ñ' | 'ń' => 'n',
            'ó' | 'ö' | 'ø' | 'ô' => 'o',
            'ś' | 'ş' => 's',
            'ú' | 'ü' => 'u',
            'ź' | 'ż' => 'z',
            _ => continue,
        };
        text.push(plain);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_every_name_has_a_plain_one() {
        for name in CULTURES.iter().flat_map(|culture| culture.given.iter().chain(culture.family)) {
            let letters = name.chars().filter(|letter| letter.is_alphabetic()).count();
            assert_eq!(plain(name).len(), letters, "{name}");
        }
    }
}
