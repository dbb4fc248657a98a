//! The brand: how mails and pages look as the shop's own. `docs/automations.md` teaches it.

use crate::schema::{Described, Schemas, of, of_type};
use crate::settings::{READ, WRITE};
use crate::values::{ByLanguage, Name, NamedTexts, ShortText, UpTo, WebAddress};
use crate::wire::{Errors, Read, alone};
use crate::{FieldError, Moment, answer, body, endpoints};
use restock_domain::brand::{Color, FontStack, MIN_CONTRAST, Palette, Scheme};
use restock_domain::{EmailAddress, ErrorCode, Invalid, Sender, brand};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{RefOr, Schema};

endpoints! {
    /// Show the brand of mails and pages
    GetBrand("getBrand"): Get "/brand", "show-brand", READ,
        () => 200 Brand, "The brand; an empty one if none was stored.",
        |operation| operation.etag();

    /// Store the brand of mails and pages
    PutBrand("putBrand"): Put "/brand", "put-brand", WRITE,
        BrandSettings => 200 Brand, "The brand, as its next version.",
        |operation| operation.conditional().etag();
}

body! {
    /// The brand as a whole: what is missing is no longer part of it.
    #[derive(Debug)]
    pub struct BrandSettings {
        pub shop: Option<Look>,
        /// What is different for a locale or a language, by its tag (`sv-SE`, `sv`).
        pub locales: Option<ByLanguage<Look>>,
        /// Texts in place of the compiled-in ones, by language and then by their ids, such as `button`, in Fluent's
        /// syntax.
        pub texts: Option<ByLanguage<Texts>>,
    }
    // What is shown may be sent back as it is.
    strict ["version", "updatedOn"]
}

body! {
    /// The look of mails and pages. What is missing for a locale is as for its language, and then as for the shop. What
    /// the shop lacks is left out, or is as the deployment's settings say.
    #[derive(Debug, Clone, Default)]
    pub struct Look {
        /// The name of the shop.
        pub name: Option<Name>,
        /// Where name and logo lead.
        pub link: Option<WebAddress>,
        pub logo: Option<Logo>,
        /// On a light screen.
        pub colors: Option<Colors>,
        /// On a dark screen.
        pub dark_colors: Option<Colors>,
        /// Names of fonts, the best first; the last one is a family that every mail client has, such as `sans-serif`.
        /// Fonts are not loaded: a reader sees the first one that is installed.
        pub font_stack: Option<FontStack>,
        /// The lines of the postal address.
        pub address: Option<UpTo<10, Name>>,
        /// What the law wants said besides, such as a company's number and its register.
        pub legal: Option<UpTo<10, Name>>,
        /// Where shoppers may ask.
        pub support_address: Option<EmailAddress>,
        pub social: Option<UpTo<10, SocialLink>>,
        /// For automations that have no sender of their own.
        pub sender: Option<Sender>,
        /// For automations that have none of their own.
        pub reply_to: Option<EmailAddress>,
        /// What is added to links to the shop that lack it, such as `{"utm_source": "restock"}`.
        pub link_parameters: Option<LinkParameters>,
    }
    strict []
}

body! {
    #[derive(Debug, Clone)]
    pub struct Logo {
        /// A PNG, a JPEG or a GIF: many mail clients show no SVG.
        pub url: WebAddress,
        /// In CSS pixels, 160 by default. Make the picture twice as wide for sharp screens.
        pub width: Option<LogoWidth>,
        /// What is read where the picture is not shown; the name of the shop by default.
        pub alt: Option<ShortText>,
    }
    strict []
}

body! {
    /// Colours that are missing follow from the others, so that they can be read. `text` on `background` and
    /// `buttonText` on `button` need a contrast of 4.5 to 1 (WCAG 2.2, level AA).
    #[derive(Debug, Clone, Copy)]
    pub struct Colors {
        pub background: Option<Color>,
        pub text: Option<Color>,
        pub button: Option<Color>,
        pub button_text: Option<Color>,
    }
    strict []
}

body! {
    /// A page of the shop elsewhere, shown as a link.
    #[derive(Debug, Clone)]
    pub struct SocialLink {
        /// Such as `Instagram`.
        pub name: Name,
        pub url: WebAddress,
    }
    strict []
}

/// A width of a logo in CSS pixels.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct LogoWidth(u32);

pub(crate) const DEFAULT_LOGO_WIDTH: u32 = 160;
const MIN_LOGO_WIDTH: u32 = 16;
/// As wide as a mail is, without its margins.
const MAX_LOGO_WIDTH: u32 = 550;

impl Read for LogoWidth {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let width = u32::try_from(i64::read(value)?).ok().filter(|w| (MIN_LOGO_WIDTH..=MAX_LOGO_WIDTH).contains(w));
        let message = format!("Use a whole number of pixels from {MIN_LOGO_WIDTH} to {MAX_LOGO_WIDTH}.");
        width.map(Self).ok_or_else(|| alone(Invalid::new(ErrorCode::OutOfRange, message)))
    }
}

impl Described for LogoWidth {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::Integer).minimum(Some(MIN_LOGO_WIDTH)).maximum(Some(MAX_LOGO_WIDTH)))
    }
}

/// Texts by their ids.
type Texts = NamedTexts<100, 500>;
/// Parameters of a URL by their names.
type LinkParameters = NamedTexts<10, 100>;

answer! {
    /// The brand as it is stored.
    #[derive(Debug)]
    pub struct Brand {
        pub shop: Look,
        /// What is different for a locale or a language, by its tag in lower case.
        pub locales: ByLanguage<Look>,
        pub texts: ByLanguage<Texts>,
        /// Counts the changes, from 1; 0 if none was stored.
        pub version: u64,
        pub updated_on: Option<Moment>,
    }
}

/// Functions keep the brand in memory, and DynamoDB takes 400 KB to an item.
const MAX_BYTES: usize = 100_000;

impl BrandSettings {
    /// Makes the brand that a caller describes. Refuses colours that can't be read, of the shop or of any locale.
    pub fn into_brands(self) -> Result<restock_domain::Brands, Vec<FieldError>> {
        if json!(self).to_string().len() > MAX_BYTES {
            let message = format!("A brand has at most {MAX_BYTES} bytes. Leave out what locales share with the shop.");
            return Err(alone(Invalid::new(ErrorCode::TooLong, message)));
        }
        let (looks, texts) = (self.locales.unwrap_or_default().0, self.texts.unwrap_or_default().0);
        let brands = restock_domain::Brands {
            shop: self.shop.unwrap_or_default().into(),
            locales: looks.into_iter().map(|(tag, look)| (tag, look.into())).collect(),
            texts: texts.into_iter().map(|(tag, NamedTexts(texts))| (tag, texts)).collect(),
            ..restock_domain::Brands::default()
        };
        let mut errors = Errors::default();
        check_colors(&mut errors, "/shop", &brands.shop);
        errors.finish()?;
        // Only then a locale that has the shop's colours can't be at fault.
        let mut errors = Errors::default();
        for tag in brands.locales.keys() {
            check_colors(&mut errors, &format!("/locales/{tag}"), &brands.of(&tag.clone().into()));
        }
        errors.finish()?;
        Ok(brands)
    }
}

fn check_colors(errors: &mut Errors, pointer: &str, brand: &restock_domain::Brand) {
    for (palette, scheme) in [("colors", brand.light()), ("darkColors", brand.dark())] {
        let Scheme { background, text, button, button_text, .. } = scheme;
        for (name, color, behind) in [("text", text, background), ("buttonText", button_text, button)] {
            let contrast = color.contrast(behind);
            if contrast < MIN_CONTRAST {
                // Never rounded up to what would be enough.
                let contrast = (contrast * 100.0).floor() / 100.0;
                let message = format!(
                    "{color} on {behind} has a contrast of {contrast:.2} to 1, and {MIN_CONTRAST} to 1 is the least. Use a darker or a lighter colour, or leave {name} out: then one is chosen that can be read."
                );
                errors.add(&format!("{pointer}/{palette}/{name}"), Invalid::new(ErrorCode::LowContrast, message));
            }
        }
    }
}

impl From<Look> for restock_domain::Brand {
    fn from(look: Look) -> Self {
        let lines =
            |lines: Option<UpTo<10, Name>>| lines.map(|UpTo(lines)| lines.into_iter().map(|Name(line)| line).collect());
        let logo = |Logo { url: WebAddress(url), width, alt }| brand::Logo {
            url,
            width: width.map_or(DEFAULT_LOGO_WIDTH, |LogoWidth(width)| width),
            alt: alt.and_then(ShortText::not_empty),
        };
        let link = |SocialLink { name: Name(name), url: WebAddress(url) }| brand::SocialLink { name, url };
        Self {
            name: look.name.map(|Name(name)| name),
            link: look.link.map(|WebAddress(url)| url),
            logo: look.logo.map(logo),
            colors: palette(look.colors),
            dark_colors: palette(look.dark_colors),
            font: look.font_stack,
            address: lines(look.address),
            legal: lines(look.legal),
            support: look.support_address,
            social: look.social.map(|UpTo(links)| links.into_iter().map(link).collect()),
            sender: look.sender,
            reply_to: look.reply_to,
            link_parameters: look.link_parameters.map(|NamedTexts(parameters)| parameters),
        }
    }
}

impl From<restock_domain::Brand> for Look {
    fn from(brand: restock_domain::Brand) -> Self {
        let lines = |lines: Option<Vec<String>>| lines.map(|lines| UpTo(lines.into_iter().map(Name).collect()));
        let logo = |brand::Logo { url, width, alt }| Logo {
            url: WebAddress(url),
            width: Some(LogoWidth(width)),
            alt: alt.map(ShortText),
        };
        let link = |brand::SocialLink { name, url }| SocialLink { name: Name(name), url: WebAddress(url) };
        Self {
            name: brand.name.map(Name),
            link: brand.link.map(WebAddress),
            logo: brand.logo.map(logo),
            colors: colors(brand.colors),
            dark_colors: colors(brand.dark_colors),
            font_stack: brand.font,
            address: lines(brand.address),
            legal: lines(brand.legal),
            support_address: brand.support,
            social: brand.social.map(|links| UpTo(links.into_iter().map(link).collect())),
            sender: brand.sender,
            reply_to: brand.reply_to,
            link_parameters: brand.link_parameters.map(NamedTexts),
        }
    }
}

fn palette(colors: Option<Colors>) -> Palette {
    let named = |Colors { background, text, button, button_text }| Palette { background, text, button, button_text };
    colors.map_or_else(Palette::default, named)
}

fn colors(palette: Palette) -> Option<Colors> {
    let Palette { background, text, button, button_text } = palette;
    (palette != Palette::default()).then_some(Colors { background, text, button, button_text })
}

impl From<restock_domain::Brands> for Brand {
    fn from(brands: restock_domain::Brands) -> Self {
        let restock_domain::Brands { shop, locales, texts, version, updated_on } = brands;
        Self {
            shop: shop.into(),
            locales: ByLanguage(locales.into_iter().map(|(tag, brand)| (tag, brand.into())).collect()),
            texts: ByLanguage(texts.into_iter().map(|(tag, texts)| (tag, NamedTexts(texts))).collect()),
            version,
            updated_on: updated_on.map(Moment),
        }
    }
}
