//! One endpoint: what it is called, what it takes and answers, and who carries it out.

use std::future::Future;

use axum::{
    extract::{Request, State},
    http::Method,
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Shared,
    answer::Refusal,
    call::{Call, Needs},
};

/// Makes the schema of a type, and notes those that it refers to.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What an endpoint answers when it does what it was asked to.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Json(SchemaOf),
    /// Another media type, and what it is.
    Other(&'static str, &'static str),
}

/// An endpoint of the API.
pub(super) struct Endpoint {
    pub(super) method: Method,
    /// Below [`super::ROOT`], with `{names}` of its parts.
    pub(super) path: &'static str,
    /// Its `operationId`.
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) needs: Needs,
    pub(super) query: SchemaOf,
    pub(super) body: SchemaOf,
    pub(super) content: Content,
    pub(super) route: MethodRouter<Shared>,
}

/// An endpoint whose handler is not known yet.
pub(super) struct Draft {
    method: (Method, MethodFilter),
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    needs: Needs,
}

/// Something is asked.
pub(super) fn get(path: &'static str, name: &'static str, summary: &'static str) -> Draft {
    Draft {
        method: (Method::GET, MethodFilter::GET),
        path,
        name,
        summary,
        needs: Needs::Reading,
    }
}

/// Something is done, by operators.
pub(super) fn post(path: &'static str, name: &'static str, summary: &'static str) -> Draft {
    Draft {
        method: (Method::POST, MethodFilter::POST),
        needs: Needs::Operating,
        ..get(path, name, summary)
    }
}

/// Something is put in the place of what is there, by operators.
pub(super) fn put(path: &'static str, name: &'static str, summary: &'static str) -> Draft {
    Draft {
        method: (Method::PUT, MethodFilter::PUT),
        needs: Needs::Operating,
        ..get(path, name, summary)
    }
}

impl Draft {
    pub(super) fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// The handler's value is answered as JSON.
    pub(super) fn by<P, Q, B, T, H, F>(self, handler: H) -> Endpoint
    where
        P: DeserializeOwned + Send + 'static,
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        B: DeserializeOwned + JsonSchema + Send + 'static,
        T: Serialize + JsonSchema + 'static,
        H: Fn(Call<P, Q, B>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let said = move |call: Call<P, Q, B>| {
            let service = Shared::clone(&call.service);
            let answer = handler(call);
            async move { Ok(service.say(&answer.await?)) }
        };
        self.finish(Content::Json(|generator| generator.subschema_for::<T>()), said)
    }

    /// The handler answers by itself, with this media type.
    pub(super) fn answered_by<P, Q, B, H, F>(
        self,
        media_type: &'static str,
        description: &'static str,
        handler: H,
    ) -> Endpoint
    where
        P: DeserializeOwned + Send + 'static,
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        B: DeserializeOwned + JsonSchema + Send + 'static,
        H: Fn(Call<P, Q, B>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response, Refusal>> + Send + 'static,
    {
        self.finish(Content::Other(media_type, description), handler)
    }

    fn finish<P, Q, B, H, F>(self, content: Content, handler: H) -> Endpoint
    where
        P: DeserializeOwned + Send + 'static,
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        B: DeserializeOwned + JsonSchema + Send + 'static,
        H: Fn(Call<P, Q, B>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response, Refusal>> + Send + 'static,
    {
        let needs = self.needs;
        let carried_out = move |State(service): State<Shared>, request: Request| async move {
            let answered = async {
                let call = Call::of(Shared::clone(&service), needs, request).await?;
                handler(call).await
            };
            answered.await.unwrap_or_else(|refusal| service.refuse(refusal))
        };
        let (method, filter) = self.method;
        Endpoint {
            method,
            path: self.path,
            name: self.name,
            summary: self.summary,
            needs,
            query: |generator| generator.subschema_for::<Q>(),
            body: |generator| generator.subschema_for::<B>(),
            content,
            route: on(filter, carried_out),
        }
    }
}
