//! What goes wrong, at random: on both sides, each time for a while.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use sim::{
    discord::{DiscordSim, LostResponse, Route, Scope},
    tess::{Fault, Route as TessRoute, TessSim},
};

/// Closes after which a bot has to come back.
const CLOSES: [u16; 10] = [1000, 1001, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009];

/// Routes of Discord whose requests may fail.
const ROUTES: [Route; 7] = [
    Route::CreateMessage,
    Route::CreateMessage,
    Route::GetMessages,
    Route::Typing,
    Route::DeleteMessage,
    Route::Gateway,
    Route::GatewayBot,
];

/// A fault that lasts.
#[derive(Clone, Copy)]
enum Lasting {
    Silent,
    HoldHello,
    HangConnects,
    RefuseConnections,
    Down,
    Slow(Route),
    TessRefuses,
}

/// The faults of both services.
pub(crate) struct Faults {
    discord: DiscordSim,
    tess: TessSim,
    /// With the tick of their end.
    lasting: Vec<(u64, Lasting)>,
    pub(crate) count: usize,
}

impl Faults {
    pub(crate) fn new(discord: &DiscordSim, tess: &TessSim) -> Self {
        Self { discord: discord.clone(), tess: tess.clone(), lasting: Vec::new(), count: 0 }
    }

    /// Something goes wrong. `recent`: a message that may be delivered again.
    pub(crate) async fn strike(&mut self, rng: &mut Rng, tick: u64, recent: Option<u64>) {
        self.count += 1;
        match rng.u8(0..100) {
            0..34 => self.gateway(rng, tick, recent).await,
            34..62 => self.rest(rng, tick).await,
            _ => self.executions(rng, tick).await,
        }
    }

    /// Ends what has lasted long enough.
    pub(crate) async fn relent(&mut self, tick: u64) {
        while let Some(over) = self.lasting.iter().position(|(end, _)| *end <= tick) {
            let (_, fault) = self.lasting.swap_remove(over);
            self.set(fault, false).await;
        }
    }

    /// Ends everything.
    pub(crate) async fn cease(&mut self) {
        self.relent(u64::MAX).await;
        self.discord.clear_faults();
        self.tess.clear_faults();
    }

    async fn last(&mut self, fault: Lasting, until: u64) {
        self.set(fault, true).await;
        self.lasting.push((until, fault));
    }

    async fn set(&self, fault: Lasting, on: bool) {
        match fault {
            Lasting::Silent => self.discord.silence_gateway(on),
            Lasting::HoldHello => self.discord.withhold_hello(on),
            Lasting::HangConnects => self.discord.hang_new_connections(on),
            Lasting::RefuseConnections => self.discord.refuse_connections(on),
            Lasting::Down => self.discord.set_down(on),
            Lasting::Slow(route) => {
                self.discord.set_delay(route, if on { Duration::from_millis(700) } else { Duration::ZERO });
            }
            Lasting::TessRefuses => self.tess.refuse_connections(on).await,
        }
    }

    async fn gateway(&mut self, rng: &mut Rng, tick: u64, recent: Option<u64>) {
        let until = tick + crate::ticks(rng.u64(1..7));
        let discord = &self.discord;
        match rng.u8(0..15) {
            0 | 1 => discord.drop_connection(),
            2 | 3 => discord.close_with(CLOSES[rng.usize(0..CLOSES.len())]),
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
            8 => self.last(Lasting::Silent, until).await,
            9 => {
                discord.drop_connection();
                let how = [Lasting::HoldHello, Lasting::HangConnects, Lasting::RefuseConnections][rng.usize(0..3)];
                self.last(how, until).await;
            }
            10..13 => recent.into_iter().for_each(|message| discord.redeliver(message)),
            _ => discord.reverse_next_events(rng.usize(2..5)),
        }
    }

    async fn rest(&mut self, rng: &mut Rng, tick: u64) {
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
            10 => self.last(Lasting::Down, tick + crate::ticks(rng.u64(1..8))).await,
            _ => self.last(Lasting::Slow(route), tick + crate::ticks(rng.u64(1..8))).await,
        }
    }

    async fn executions(&mut self, rng: &mut Rng, tick: u64) {
        let page = |status| Fault::Answer { status, content_type: "text/html", body: "<html></html>".to_owned() };
        let fault = match rng.u8(0..18) {
            0 => page([500, 502, 503][rng.usize(0..3)]),
            1 => Fault::Answer { status: 400, content_type: "application/json", body: NO_CREDITS.to_owned() },
            2 | 3 => Fault::RateLimit { retry_after: Some(rng.f64() * 2.0 + 0.2), header: rng.bool() },
            4 => Fault::Empty,
            5 => Fault::Failed(if rng.bool() { json!("out of luck") } else { Value::Null }),
            6 | 7 => Fault::Unfinished(rng.usize(1..3)),
            8 => Fault::NullCredits,
            9 => Fault::Http524,
            10 => Fault::Truncate,
            11 => Fault::EndlessBody,
            12 => Fault::Hang,
            13 => Fault::DropConnection,
            14 | 15 => Fault::Slow(Duration::from_millis(rng.u64(500..6_000))),
            16 => return self.tess.fault_on(TessRoute::Poll, page(502)),
            _ => return self.last(Lasting::TessRefuses, tick + crate::ticks(rng.u64(1..6))).await,
        };
        self.tess.fault_on(TessRoute::Execute, fault);
    }
}

const NO_CREDITS: &str = r#"{"error": "user has no credits"}"#;
