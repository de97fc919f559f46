//! Previews of pages that users link to
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url>).
//!
//! The page's address reaches only the page's own server. Where that may be is decided by the network, which refuses
//! what is not on the public Internet. What is fetched is bounded in bytes and time.

mod page;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, header};
use image::ImageReader;
use parvis_peers::{PageWish, Transport};
use ruma::UserId;
use serde_json::{Map, Value};

use crate::{
    Media, Offer,
    preview::page::{Facts, read},
    web::{PreviewError, PreviewSettings, Previews, content_type},
};

/// How long a preview is remembered.
const KEEP: Duration = Duration::from_secs(3_600);

impl Media {
    /// This engine, making previews of pages too, which it fetches over this network.
    #[must_use]
    pub fn previewing(self, network: Arc<dyn Transport>, settings: PreviewSettings) -> Self {
        Self { previews: Some(Previews::new(network, settings)), ..self }
    }

    /// A preview of a page, as a JSON object of OpenGraph properties. Its picture is kept here as media of the user who
    /// asked. `languages` are those of the client, as `Accept-Language` has them.
    ///
    /// # Errors
    /// Any [`PreviewError`].
    pub async fn preview(
        &self,
        url: &str,
        languages: Option<&str>,
        asker: &UserId,
    ) -> Result<Arc<str>, PreviewError> {
        let previews = self.previews.as_ref().ok_or(PreviewError::Off)?;
        let url = url.split('#').next().unwrap_or(url).trim();
        previews.check(url)?;
        let languages = languages.unwrap_or(&previews.settings.languages);
        let key = (url.to_owned(), languages.to_owned());
        let _turn = self.previewing.turn(key.clone()).await;
        let now = self.ambient.now();
        if let Some((made, known)) = previews.known.get(&key)
            && now.since(made) < KEEP
        {
            return Ok(known);
        }
        let _permit = self.fetches.acquire().await;
        let preview = self.make_preview(previews, url, languages, asker).await?;
        let preview: Arc<str> = Value::Object(preview).to_string().into();
        previews.known.insert(key, (now, Arc::clone(&preview)));
        Ok(preview)
    }

    async fn make_preview(
        &self,
        previews: &Previews,
        url: &str,
        languages: &str,
        asker: &UserId,
    ) -> Result<Map<String, Value>, PreviewError> {
        let accept = "text/html,application/xhtml+xml,image/*;q=0.8,*/*;q=0.1";
        let wish = PageWish { accept, languages };
        let (found_at, headers, body, is_whole) = previews.fetch(url, wish).await?;
        let content_type = content_type(&headers);
        if content_type.starts_with("image/") {
            let mut preview = Map::new();
            if is_whole {
                self.add_picture(&mut preview, &content_type, body, asker).await?;
            }
            return Ok(preview);
        }
        if !matches!(&*content_type, "text/html" | "application/xhtml+xml") {
            return Ok(Map::new());
        }
        let Facts { mut properties, picture } = read(&page::decode(&body, charset(&headers)));
        let picture = picture.and_then(|picture| page::resolve(&found_at, &picture));
        properties.remove("og:image");
        if let Some(picture) = picture {
            let wish = PageWish { accept: "image/*", languages };
            // A page without its picture is better than none.
            match previews.fetch(&picture, wish).await {
                Ok((_, headers, bytes, true)) => {
                    self.add_picture(&mut properties, &crate::web::content_type(&headers), bytes, asker)
                        .await?;
                }
                Ok(_) => tracing::debug!("the picture of a page is too large for its preview"),
                Err(error) => tracing::debug!(%error, "the picture of a page cannot be had"),
            }
        }
        Ok(properties)
    }

    /// Keeps a picture, and says of it what a preview does. What is none is left out.
    async fn add_picture(
        &self,
        preview: &mut Map<String, Value>,
        content_type: &str,
        bytes: Bytes,
        asker: &UserId,
    ) -> Result<(), PreviewError> {
        if !content_type.starts_with("image/") || content_type.starts_with("image/svg") {
            return Ok(());
        }
        let size = bytes.len();
        let sizes = ImageReader::new(std::io::Cursor::new(&bytes)).with_guessed_format();
        let sizes = sizes.ok().and_then(|reader| reader.into_dimensions().ok());
        let offer = Offer {
            content_type: Some(content_type.to_owned()),
            filename: None,
            size_bytes: u64::try_from(size).ok(),
        };
        let body = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
        let uri = self.upload(asker, &offer, body).await?;
        preview.insert("og:image".to_owned(), uri.as_str().into());
        preview.insert("og:image:type".to_owned(), content_type.into());
        preview.insert("matrix:image:size".to_owned(), size.into());
        if let Some((width, height)) = sizes {
            preview.insert("og:image:width".to_owned(), width.into());
            preview.insert("og:image:height".to_owned(), height.into());
        }
        Ok(())
    }
}

/// The character set that the answer names.
fn charset(headers: &HeaderMap) -> Option<&str> {
    let said = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let named = said.split(';').find_map(|part| part.trim().strip_prefix("charset="))?;
    Some(named.trim_matches(['"', '\'']))
}
