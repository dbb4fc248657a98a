use crate::{ErrorCode, Invalid};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A colour of the sRGB space, as `#1f2328`.
///
/// It is written to tables and answers as that text, and reading it back trusts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Color {
    red: u8,
    green: u8,
    blue: u8,
}

/// The colours that a brand names for one background, light or dark. What is missing follows from the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Palette {
    pub background: Option<Color>,
    pub text: Option<Color>,
    pub button: Option<Color>,
    pub button_text: Option<Color>,
}

/// All colours of a mail or a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Scheme {
    pub background: Color,
    pub text: Color,
    /// Of text that matters less.
    pub faint: Color,
    /// Of lines between parts.
    pub line: Color,
    pub button: Color,
    pub button_text: Color,
}

/// The least contrast between text and what is behind it (WCAG 2.2, 1.4.3).
pub const MIN_CONTRAST: f64 = 4.5;
/// The least contrast between a button and the page (WCAG 2.2, 1.4.11).
const MIN_BUTTON_CONTRAST: f64 = 3.0;
const WHITE: Color = Color::of(0xff, 0xff, 0xff);
const BLACK: Color = Color::of(0, 0, 0);
const INK: Color = Color::of(0x1f, 0x23, 0x28);
const NIGHT: Color = Color::of(0x16, 0x18, 0x1b);
const PAPER: Color = Color::of(0xf0, 0xf2, 0xf4);

impl Color {
    const fn of(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Reads `#1f2328` or `#abc`, in any case.
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(ErrorCode::InvalidColor, "Use a hexadecimal colour such as #1f2328.");
        Self::read(raw.trim()).ok_or_else(invalid)
    }

    fn read(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.strip_prefix('#')?.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
        match digits[..] {
            [red, green, blue] => Some(Self::of(red * 17, green * 17, blue * 17)),
            [r, red, g, green, b, blue] => Some(Self::of(r * 16 + red, g * 16 + green, b * 16 + blue)),
            _ => None,
        }
    }

    /// Returns the contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio").
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Returns the relative luminance, from 0 to 1 (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// Returns this colour mixed with a share of another one, in hundredths.
    fn mixed(self, other: Self, hundredths: u16) -> Self {
        let mix = |own: u8, other: u8| {
            let sum = u16::from(own) * (100 - hundredths) + u16::from(other) * hundredths;
            (sum / 100).try_into().unwrap_or(u8::MAX)
        };
        Self::of(mix(self.red, other.red), mix(self.green, other.green), mix(self.blue, other.blue))
    }

    /// Returns a colour that is readable on this one: the preferred one, or else black or white.
    fn readable(self, preferred: Self) -> Self {
        if preferred.contrast(self) >= MIN_CONTRAST {
            preferred
        } else if WHITE.contrast(self) >= BLACK.contrast(self) {
            WHITE
        } else {
            BLACK
        }
    }
}

impl Palette {
    /// Returns these colours, with those of another palette for what is missing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            background: self.background.or(other.background),
            text: self.text.or(other.text),
            button: self.button.or(other.button),
            button_text: self.button_text.or(other.button_text),
        }
    }

    /// Returns the colours on a light screen.
    pub fn light(self) -> Scheme {
        let background = self.background.unwrap_or(WHITE);
        self.scheme(background, self.text.unwrap_or_else(|| background.readable(INK)))
    }

    /// Returns the colours on a dark screen: those of this palette, with a button as on a light screen if it stands
    /// out.
    pub fn dark(self, light: Self) -> Scheme {
        let background = self.background.unwrap_or(NIGHT);
        let text = self.text.unwrap_or_else(|| background.readable(PAPER));
        let stands_out = light.button.is_some_and(|button| button.contrast(background) >= MIN_BUTTON_CONTRAST);
        let button_text = self.button_text.or(light.button_text);
        match (self.button, stands_out) {
            (None, true) => Self { button: light.button, button_text, ..self },
            _ => self,
        }
        .scheme(background, text)
    }

    fn scheme(self, background: Color, text: Color) -> Scheme {
        let faint = text.mixed(background, 25);
        let button = self.button.unwrap_or(text);
        Scheme {
            background,
            text,
            faint: if faint.contrast(background) >= MIN_CONTRAST { faint } else { text },
            line: text.mixed(background, 85),
            button,
            button_text: self.button_text.unwrap_or_else(|| button.readable(background)),
        }
    }
}

impl Scheme {
    /// Returns true if the button can be told from the page by more than its text.
    pub fn button_stands_out(&self) -> bool {
        self.button.contrast(self.background) >= MIN_BUTTON_CONTRAST
    }
}

impl From<String> for Color {
    fn from(text: String) -> Self {
        Self::read(&text).unwrap_or(BLACK)
    }
}

impl From<Color> for String {
    fn from(color: Color) -> Self {
        color.to_string()
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        Color::parse(text).unwrap()
    }

    #[test]
    fn a_color_is_three_or_six_hexadecimal_digits() {
        assert_eq!(color(" #ABC ").to_string(), "#aabbcc");
        assert_eq!(color("#1F2328"), INK);
        for bad in ["", "#", "#12", "#12345", "1f2328", "#1f232g", "red", "#1f2328ff", "rgb(1,2,3)", "#é23456"] {
            assert_eq!(Color::parse(bad).unwrap_err().error_code, ErrorCode::InvalidColor, "{bad}");
        }
    }

    #[test]
    fn contrasts_are_those_of_wcag() {
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 1e-9 && (WHITE.contrast(WHITE) - 1.0).abs() < 1e-9);
        assert!(color("#767676").contrast(WHITE) >= MIN_CONTRAST, "the lightest grey that passes");
        assert!(color("#777777").contrast(WHITE) < MIN_CONTRAST);
    }

    #[test]
    fn a_button_that_can_not_be_seen_in_the_dark_is_another_one_there() {
        let navy = Palette { button: Some(color("#0a1a3a")), ..Palette::default() };
        let orange = Palette { button: Some(color("#ff8800")), ..Palette::default() };

        assert_eq!(Palette::default().dark(navy).button, PAPER);
        assert_eq!(Palette::default().dark(orange).button, color("#ff8800"));
        assert_eq!(navy.dark(orange).button, color("#0a1a3a"), "one that is named is taken");
    }

    #[test]
    fn a_button_that_is_nearly_as_light_as_the_page_does_not_stand_out() {
        let with_button = |text: &str| Palette { button: Some(color(text)), ..Palette::default() };

        assert!(!with_button("#ffd400").light().button_stands_out());
        assert!(with_button("#ffd400").dark(Palette::default()).button_stands_out());
        assert!(with_button("#949494").light().button_stands_out(), "the lightest grey that does");
        assert!(!with_button("#959595").light().button_stands_out());
        assert!(Palette::default().light().button_stands_out());
    }

    #[test]
    fn what_a_brand_does_not_name_is_always_readable() {
        let steps = || (0..=u8::MAX).step_by(15);
        let grid = steps().flat_map(|red| steps().flat_map(move |green| steps().map(move |blue| (red, green, blue))));
        for (red, green, blue) in grid {
            let (one, other) = (Color::of(red, green, blue), Color::of(blue, red, green));
            let palette = Palette { background: Some(one), button: Some(other), ..Palette::default() };
            for scheme in [palette.light(), palette.dark(Palette::default()), Palette::default().dark(palette)] {
                let texts = [(scheme.text, scheme.background), (scheme.faint, scheme.background)];
                for (text, behind) in texts.into_iter().chain([(scheme.button_text, scheme.button)]) {
                    assert!(text.contrast(behind) >= MIN_CONTRAST, "{text} on {behind}");
                }
            }
        }
    }
}
