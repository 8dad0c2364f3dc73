//! rmcp's side of the server: one method a request.

#![expect(deprecated, reason = "clients of the older revisions still send these requests")]

use std::borrow::Cow;
use std::future::Future;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, GetPromptRequestParams, GetPromptResponse,
    GetTaskParams, GetTaskResult, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ServerConfig, SetLevelRequestMethod,
    SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
    UpdateTaskParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use crate::resources::ToolResource;
use crate::server::{LIST_TTL_MS, Server, cache_scope};
use crate::wire::{self, is_modern};

type Request = RequestContext<RoleServer>;

/// How long clients may keep what the server says of itself.
const DISCOVER_TTL_MS: u64 = 3_600_000;

macro_rules! listed {
    ($self:ident, $request:ident, $result:ident, $items:expr) => {{
        let visit = $self.visit(&$request)?;
        let mut result = $result::with_all_items($items);
        if visit.is_modern {
            result.meta = Some($self.shared.stamp.clone());
            result = result.with_ttl_ms(LIST_TTL_MS).with_cache_scope(cache_scope(&visit.caller));
        }
        Ok(result)
    }};
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        self.shared.config.clone()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }

    async fn initialize(
        &self,
        params: InitializeRequestParams,
        request: Request,
    ) -> Result<InitializeResult, ErrorData> {
        self.visit(&request)?;
        let result = self.negotiate_initialize(&params)?;
        let mut client = params;
        client.protocol_version = result.protocol_version.clone();
        request.peer.set_peer_info(client);
        Ok(result)
    }

    async fn discover(&self, request: Request) -> Result<DiscoverResult, ErrorData> {
        self.visit(&request)?;
        let versions = self.supported_protocol_versions().into_owned();
        let mut result = DiscoverResult::from_server_info(versions, self.get_info());
        result.ttl_ms = DISCOVER_TTL_MS;
        result.cache_scope = rmcp::model::CacheScope::Public;
        Ok(result)
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        request: Request,
    ) -> Result<CallToolResponse, ErrorData> {
        Box::pin(self.call(call, request)).await
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let shared = &self.shared;
        match shared.dispatch.catalog().get(name) {
            Some(entry) => {
                let input = shared.listing.with_headers(entry)?;
                Some(Tool::new(entry.facts.name, "", input))
            }
            None => shared.listing.raw(name).cloned(),
        }
    }

    async fn on_custom_request(
        &self,
        custom: CustomRequest,
        request: Request,
    ) -> Result<CustomResult, ErrorData> {
        if custom.method == wire::LISTING {
            return self.list(custom.params.as_ref(), &request).map(CustomResult);
        }
        let is_gone = is_modern(request.protocol_version().as_ref()) && wire::is_removed(&custom.method);
        if wire::is_known_method(&custom.method) && !is_gone {
            let message = format!("the parameters do not fit {}", custom.method);
            return Err(ErrorData::invalid_params(message, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("Method not found: {}", custom.method), None))
    }

    async fn get_task(&self, params: GetTaskParams, request: Request) -> Result<GetTaskResult, ErrorData> {
        let visit = self.visit(&request)?;
        self.look(&visit.caller, &params).await
    }

    async fn update_task(&self, params: UpdateTaskParams, request: Request) -> Result<(), ErrorData> {
        let visit = self.visit(&request)?;
        self.update(&visit.caller, params).await
    }

    async fn cancel_task(&self, params: CancelTaskParams, request: Request) -> Result<(), ErrorData> {
        let visit = self.visit(&request)?;
        self.cancel(&visit.caller, &params).await
    }

    async fn set_level(&self, level: SetLevelRequestParams, request: Request) -> Result<(), ErrorData> {
        if self.visit(&request)?.is_modern {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        self.connection.set_level(level.level);
        Ok(())
    }

    async fn complete(
        &self,
        complete: CompleteRequestParams,
        request: Request,
    ) -> Result<CompleteResult, ErrorData> {
        let visit = self.visit(&request)?;
        let mut result = self.shared.extras.complete(complete, request).await?;
        if visit.is_modern {
            result.meta = Some(self.shared.stamp.clone());
        }
        Ok(result)
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        request: Request,
    ) -> Result<ListPromptsResult, ErrorData> {
        listed!(self, request, ListPromptsResult, self.shared.extras.prompts())
    }

    async fn get_prompt(
        &self,
        prompt: GetPromptRequestParams,
        request: Request,
    ) -> Result<GetPromptResponse, ErrorData> {
        let visit = self.visit(&request)?;
        let mut response = self.shared.extras.prompt(prompt, request).await?;
        if let (GetPromptResponse::Complete(result), true) = (&mut response, visit.is_modern) {
            result.meta = Some(self.shared.stamp.clone());
        }
        Ok(response)
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        request: Request,
    ) -> Result<ListResourcesResult, ErrorData> {
        listed!(self, request, ListResourcesResult, self.shared.extras.resources())
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        request: Request,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let own = self.shared.options.resources.iter().map(ToolResource::shown);
        let all = self.shared.extras.resource_templates().into_iter().chain(own).collect();
        listed!(self, request, ListResourceTemplatesResult, all)
    }

    async fn read_resource(
        &self,
        read: ReadResourceRequestParams,
        request: Request,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let visit = self.visit(&request)?;
        let mut response = match Box::pin(self.read_by_tool(&read, &request)).await? {
            Some(result) => result.into(),
            None => self.shared.extras.read(read, request).await?,
        };
        if let (ReadResourceResponse::Complete(result), true) = (&mut response, visit.is_modern) {
            result.meta = Some(self.shared.stamp.clone());
        }
        Ok(response)
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, stream: SubscriptionContext) -> Result<(), ErrorData> {
        tokio::select! {
            result = self.shared.extras.listen(stream) => result,
            () = self.connection.ending.cancelled() => Ok(()),
        }
    }

    async fn subscribe(&self, params: SubscribeRequestParams, request: Request) -> Result<(), ErrorData> {
        self.subscription(params.uri, true, request).await
    }

    async fn unsubscribe(&self, params: UnsubscribeRequestParams, request: Request) -> Result<(), ErrorData> {
        self.subscription(params.uri, false, request).await
    }

    fn on_initialized(
        &self,
        _notification: rmcp::service::NotificationContext<RoleServer>,
    ) -> impl Future<Output = ()> + Send + '_ {
        std::future::ready(())
    }
}

impl Server {
    /// Without resources there is nothing to announce, so that the promise is kept by itself.
    async fn subscription(&self, uri: String, wants: bool, request: Request) -> Result<(), ErrorData> {
        self.visit(&request)?;
        self.shared.extras.subscribe(uri, wants, request).await
    }
}
