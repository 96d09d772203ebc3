//! Random faults of both services.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use sim::{
    discord::{DiscordSim, LostResponse, Route, Scope},
    tess::{Fault, Route as TessRoute, TessSim},
};

/// Close codes after which a bot has to reconnect.
const CLOSE_CODES: [u16; 10] = [1000, 1001, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009];

/// Routes of Discord whose requests can fail. A route that is listed twice is chosen more often.
const ROUTES: [Route; 7] = [
    Route::CreateMessage,
    Route::CreateMessage,
    Route::GetMessages,
    Route::Typing,
    Route::DeleteMessage,
    Route::Gateway,
    Route::GatewayBot,
];

/// Tess's error for an account without credits.
const NO_CREDITS: &str = r#"{"error": "user has no credits"}"#;

/// A fault that lasts for some time.
#[derive(Clone, Copy)]
enum Lasting {
    SilentGateway,
    WithheldHello,
    HangingConnections,
    RefusedConnections,
    RestDown,
    SlowRoute(Route),
    TessDown,
}

/// The faults of both services.
pub(crate) struct Faults {
    discord: DiscordSim,
    tess: TessSim,
    /// The faults in effect, each with the tick of its end.
    lasting: Vec<(u64, Lasting)>,
    pub(crate) count: usize,
}

impl Faults {
    pub(crate) fn new(discord: &DiscordSim, tess: &TessSim) -> Self {
        Self { discord: discord.clone(), tess: tess.clone(), lasting: Vec::new(), count: 0 }
    }

    /// Injects a random fault. `recent` is a message that may be delivered again.
    pub(crate) async fn inject(&mut self, rng: &mut Rng, tick: u64, recent: Option<u64>) {
        self.count += 1;
        match rng.u8(0..100) {
            0..34 => self.inject_gateway_fault(rng, tick, recent).await,
            34..62 => self.inject_rest_fault(rng, tick).await,
            _ => self.inject_tess_fault(rng, tick).await,
        }
    }

    /// Ends the faults whose time is over.
    pub(crate) async fn end_expired(&mut self, tick: u64) {
        while let Some(expired) = self.lasting.iter().position(|(end, _)| *end <= tick) {
            let (_, fault) = self.lasting.swap_remove(expired);
            self.set(fault, false).await;
        }
    }

    /// Ends every fault.
    pub(crate) async fn end_all(&mut self) {
        self.end_expired(u64::MAX).await;
        self.discord.clear_faults();
        self.tess.clear_faults();
    }

    /// Starts a fault that lasts.
    async fn start(&mut self, fault: Lasting, until: u64) {
        self.set(fault, true).await;
        self.lasting.push((until, fault));
    }

    async fn set(&self, fault: Lasting, on: bool) {
        match fault {
            Lasting::SilentGateway => self.discord.silence_gateway(on),
            Lasting::WithheldHello => self.discord.withhold_hello(on),
            Lasting::HangingConnections => self.discord.hang_new_connections(on),
            Lasting::RefusedConnections => self.discord.refuse_connections(on),
            Lasting::RestDown => self.discord.set_down(on),
            Lasting::SlowRoute(route) => {
                self.discord.set_delay(route, if on { Duration::from_millis(700) } else { Duration::ZERO });
            }
            Lasting::TessDown => self.tess.refuse_connections(on).await,
        }
    }

    async fn inject_gateway_fault(&mut self, rng: &mut Rng, tick: u64, recent: Option<u64>) {
        let until = tick + crate::ticks(rng.u64(1..7));
        let discord = &self.discord;
        match rng.u8(0..15) {
            0 | 1 => discord.drop_connection(),
            2 | 3 => discord.close_with(CLOSE_CODES[rng.usize(0..CLOSE_CODES.len())]),
            4 => discord.send_reconnect(),
            5 => discord.send_invalid_session(rng.bool()),
            6 => {
                discord.refuse_resume(rng.usize(1..3));
                discord.drop_connection();
            }
            7 => {
                discord.refuse_identify(1);
                discord.send_invalid_session(false);
            }
            8 => self.start(Lasting::SilentGateway, until).await,
            9 => {
                discord.drop_connection();
                let how =
                    [Lasting::WithheldHello, Lasting::HangingConnections, Lasting::RefusedConnections][rng.usize(0..3)];
                self.start(how, until).await;
            }
            10..13 => recent.into_iter().for_each(|message| discord.redeliver(message)),
            _ => discord.reverse_next_events(rng.usize(2..5)),
        }
    }

    async fn inject_rest_fault(&mut self, rng: &mut Rng, tick: u64) {
        let route = ROUTES[rng.usize(0..ROUTES.len())];
        let discord = &self.discord;
        match rng.u8(0..12) {
            0 | 1 => {
                let status = [500, 502, 503][rng.usize(0..3)];
                let (method, path) = [("POST", "/channels/*/messages"), ("GET", "/channels/*")][rng.usize(0..2)];
                discord.fail_next(method, path, status, json!("<html></html>"), rng.usize(1..6));
            }
            2 | 3 => discord.hang_next(route),
            4..7 => {
                let how = [LostResponse::BadGateway, LostResponse::Closed, LostResponse::Undecodable][rng.usize(0..3)];
                discord.lose_response_next(route, how);
            }
            7..10 => {
                let scope = [Scope::User, Scope::Shared, Scope::Global, Scope::Cloudflare][rng.usize(0..4)];
                discord.rate_limit_next(route, Duration::from_millis(rng.u64(300..3_000)), scope, 1);
            }
            10 => self.start(Lasting::RestDown, tick + crate::ticks(rng.u64(1..8))).await,
            _ => self.start(Lasting::SlowRoute(route), tick + crate::ticks(rng.u64(1..8))).await,
        }
    }

    async fn inject_tess_fault(&mut self, rng: &mut Rng, tick: u64) {
        let page = |status| Fault::Answer { status, content_type: "text/html", body: "<html></html>".to_owned() };
        let fault = match rng.u8(0..18) {
            0 => page([500, 502, 503][rng.usize(0..3)]),
            1 => Fault::Answer { status: 400, content_type: "application/json", body: NO_CREDITS.to_owned() },
            2 | 3 => Fault::RateLimit { retry_after: Some(rng.f64() * 2.0 + 0.2), header: rng.bool() },
            4 => Fault::Empty,
            5 => Fault::Failed(if rng.bool() { json!("something went wrong") } else { Value::Null }),
            6 | 7 => Fault::Unfinished(rng.usize(1..3)),
            8 => Fault::NullCredits,
            9 => Fault::Http524,
            10 => Fault::Truncate,
            11 => Fault::EndlessBody,
            12 => Fault::Hang,
            13 => Fault::DropConnection,
            14 | 15 => Fault::Slow(Duration::from_millis(rng.u64(500..6_000))),
            16 => return self.tess.fault_on(TessRoute::Poll, page(502)),
            _ => return self.start(Lasting::TessDown, tick + crate::ticks(rng.u64(1..6))).await,
        };
        self.tess.fault_on(TessRoute::Execute, fault);
    }
}
