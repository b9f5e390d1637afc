//! `GET /docs`: Swagger UI over our own document, and `GET /openapi.json`: that document.
//!
//! The files of Swagger UI come from inside the binary; the page loads nothing from another host, and its
//! Content-Security-Policy says so. It finds its own address in the browser, so that it works behind any prefix,
//! with or without a trailing slash.

use std::{borrow::Cow, fmt::Write, sync::OnceLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH},
    web::{self, Bytes, ServiceConfig},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::{codes::Refusal, openapi::Document, problem::Problem};

const PAGE: &str = include_str!("page.html");
/// What the page asks for, and nothing else of the bundle.
const ASSETS: [(&str, &str); 3] = [
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("favicon-32x32.png", "image/png"),
];

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: Bytes,
    etag: String,
}

pub(crate) fn routes(cfg: &mut ServiceConfig, document: &Document) {
    cfg.app_data(web::Data::new(document.clone()))
        .service(web::resource("/openapi.json").route(web::get().to(openapi)))
        .service(web::resource("/docs").route(web::get().to(page)))
        .service(web::resource("/docs/{asset}").route(web::get().to(asset)));
}

async fn openapi(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(document.bytes())
}

async fn page() -> HttpResponse {
    static POLICY: OnceLock<String> = OnceLock::new();
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", POLICY.get_or_init(policy).as_str()))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(PAGE)
}

/// Only our own files, and what stands in the page itself, named by its hash.
fn policy() -> String {
    let hash = |open: &str, close: &str| {
        let (_, rest) = PAGE
            .split_once(open)
            .expect("the page holds one inline script and one inline style");
        let (inline, _) = rest
            .split_once(close)
            .expect("what is opened in the page is closed");
        STANDARD.encode(Sha256::digest(inline))
    };
    let (script, style) = (hash("<script>", "</script>"), hash("<style>", "</style>"));
    format!(
        "default-src 'none'; script-src 'self' 'sha256-{script}'; style-src 'self' 'sha256-{style}'; \
         img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

async fn asset(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    static LOADED: OnceLock<Vec<Asset>> = OnceLock::new();
    let asset = LOADED
        .get_or_init(load)
        .iter()
        .find(|asset| asset.name == name.as_str())
        .ok_or_else(|| Problem::from(Refusal::NotFound))?;
    let known = request
        .headers()
        .get(IF_NONE_MATCH)
        .is_some_and(|tag| tag.as_bytes() == asset.etag.as_bytes());
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((ETAG, asset.etag.as_str()))
        .insert_header((CACHE_CONTROL, "public, max-age=86400"));
    Ok(if known {
        response.finish()
    } else {
        response
            .content_type(asset.content_type)
            .body(asset.bytes.clone())
    })
}

fn load() -> Vec<Asset> {
    let config = std::sync::Arc::new(utoipa_swagger_ui::Config::from("openapi.json"));
    let mut assets = Vec::with_capacity(ASSETS.len());
    for (name, content_type) in ASSETS {
        let file = utoipa_swagger_ui::serve(name, config.clone()).ok().flatten();
        let file = file.expect("the vendored Swagger UI holds the files that the page names");
        let bytes = match file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        assets.push(Asset {
            name,
            content_type,
            etag: entity_tag(&bytes),
            bytes,
        });
    }
    assets
}

fn entity_tag(bytes: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in Sha256::digest(bytes).iter().take(8) {
        write!(tag, "{byte:02x}").expect("writing to a String succeeds");
    }
    tag.push('"');
    tag
}
