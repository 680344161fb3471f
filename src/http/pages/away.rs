//! Why a visitor does not see the page asked for: another one is theirs, or a problem.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use maud::html;

use super::super::Problem;
use super::answer;
use super::layout::{Frame, document};
use super::words::sentence;

/// Why there is no page, or not this one.
#[derive(Debug)]
pub enum Away {
    /// Another page is for this visitor.
    To(&'static str),
    /// What went wrong, told as a page.
    Problem(Problem),
}

impl Away {
    /// The problem behind it, if it is one.
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::To(_) => None,
            Self::Problem(problem) => Some(problem),
        }
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::To(place) => write!(f, "see {place}"),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl<E: Into<Problem>> From<E> for Away {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl ResponseError for Away {
    fn status_code(&self) -> StatusCode {
        self.problem().map_or(StatusCode::SEE_OTHER, ResponseError::status_code)
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::To(place) => answer::see_other(place),
            Self::Problem(problem) => told(problem),
        }
    }
}

fn told(problem: &Problem) -> HttpResponse {
    let status = problem.status_code();
    let title = match status {
        StatusCode::FORBIDDEN => "That was not taken",
        StatusCode::TOO_MANY_REQUESTS => "Please wait a moment",
        StatusCode::SERVICE_UNAVAILABLE => "Not available just now",
        StatusCode::NOT_FOUND => "There is nothing here",
        _ => "That did not work",
    };
    let main = html! {
        h1 { (title) }
        p.lead { (sentence(problem.detail())) }
        p { a.button href="/account" { "Go to your account" } }
        p.quiet { "For an administrator: " code { (problem.code()) } }
    };
    answer::with_headers_of(problem, answer::page(status, &document(title, &Frame::Nobody, &main)))
}
