/**
 * Which sites may use channels, and how the person is asked.
 *
 * One prompt per origin is open at a time, and one window shows them all. A second call of the same origin waits for the
 * answer to the open prompt and brings the window to the front; only a call that asks for more than the prompt shows is
 * refused with `AlreadyPending`. Prompts are rows: a prompt outlives the worker that opened it, and its answer is kept
 * for the calls that will be sent again.
 */

import type { Storage } from "../channel/ports.ts";
import type { EncryptionMode, Profile } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import type { Result } from "../common/result.ts";
import { err, ok } from "../common/result.ts";
import type { Journal } from "../common/table.ts";
import { Table } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { LIMITS } from "../limits.ts";
import type { PromptDecision, UiPrompt, UiSite } from "../ui/background-api.ts";
import type { CallResults } from "./call-results.ts";
import type { Failure, Outcome } from "./failures.ts";
import { blocked, fail, internal, unauthorized, userRejected } from "./failures.ts";
import type { PromptRow, SiteGrant, SiteRow } from "./permission-rows.ts";
import { readPrompts, readSites } from "./permission-rows.ts";
import type { Grant, Scope } from "./provider-api.ts";
import { ErrorCode } from "./provider-api.ts";

export const ALL_SCOPES: readonly Scope[] = ["channel:create", "channel:send", "channel:receive"];

/** The one window in which prompts are answered. It reads them through the popup's port. */
export interface PromptWindow {
  /** Opens it, or brings it to the front. */
  open(): Promise<void>;
  isOpen(): Promise<boolean>;
  close(): Promise<void>;
  /**
   * Called when the person closed it, also if an earlier life of the worker had opened it. There is one listener: a
   * later one takes the place of that of permissions which are no longer in use.
   */
  onClosed(listener: () => void): void;
}

/** What a call needs the person's consent for. */
export interface Ask {
  readonly scopes: readonly Scope[];
  /** Left out: any topic. */
  readonly contentTopics?: readonly string[];
  /** Shown in the prompt, where the call was for a channel. */
  readonly channel?: {
    readonly channelId: string;
    readonly contentTopic: string;
    readonly encryption: EncryptionMode;
    readonly profile: Profile;
  };
  readonly onlyIfTrusted?: boolean;
}

export interface PermissionParts {
  readonly journal: Journal;
  readonly storage: Storage;
  readonly transactor: Transactor;
  readonly clock: Clock;
  readonly results: CallResults;
  readonly window: PromptWindow;
  /** Identifies the running browser session; see `browser-session.ts`. */
  readonly browserSession: string;
  newId(): string;
}

type Waiter = (outcome: Outcome<void>) => void;

const UNKNOWN_SITE: SiteRow = { refusals: [] };

export class Permissions {
  readonly #parts: PermissionParts;
  readonly #sites: Table<string, SiteRow>;
  readonly #prompts: Table<string, PromptRow>;
  /** By prompt, then by call: who waits in this life of the worker. */
  readonly #waiters = new Map<string, Map<string, Set<Waiter>>>();
  readonly #listeners = new Set<(origin: string) => void>();

  /** Reads what is stored. `resume` follows. */
  static async load(parts: PermissionParts): Promise<Permissions> {
    const [sites, prompts] = await Promise.all([readSites(parts.storage), readPrompts(parts.storage)]);
    return new Permissions(parts, sites, prompts);
  }

  private constructor(parts: PermissionParts, sites: [string, SiteRow][], prompts: [string, PromptRow][]) {
    this.#parts = parts;
    this.#sites = new Table("grants", parts.journal, [], sites);
    this.#prompts = new Table("prompts", parts.journal, [], prompts);
    // What cannot be stored is asked and answered again by the next life of the background.
    parts.window.onClosed(() => void this.#refuseAll().catch(() => {}));
  }

  /** Settles prompts that nobody can answer any more: their window is gone, with its browser or with an earlier worker. */
  async resume(): Promise<void> {
    if (this.#prompts.size === 0 || (await this.#parts.window.isOpen())) return;
    await this.#refuseAll();
  }

  /** Called with the origin whose grants, prompts or blocks changed, after the change is durable. */
  listen(listener: (origin: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What the origin may do, in the words of the page contract. Empty: nothing. */
  grants(origin: string): readonly Grant[] {
    const grant = this.#grant(origin);
    if (!grant) return [];
    const { contentTopics } = grant;
    return grant.scopes.map((scope) => ({ scope, ...(contentTopics && { contentTopics }), expiresAt: null }));
  }

  /** Whether there is no grant that holds, or held until its browser session ended: it was taken away, or blocked. */
  isRevoked(origin: string): boolean {
    const { grant, blockedSince } = this.#site(origin);
    return grant === undefined || blockedSince !== undefined;
  }

  /** `undefined` if the origin may; otherwise why not. */
  refusal(origin: string, scope: Scope, contentTopic?: string): Failure | undefined {
    const site = this.#site(origin);
    if (site.blockedSince !== undefined) return blocked();
    const grant = this.#grant(origin);
    if (!grant) return unauthorized("This site is not connected.");
    if (covers(grant, { scopes: [scope], ...(contentTopic !== undefined && { contentTopics: [contentTopic] }) })) {
      return undefined;
    }
    return unauthorized(`This site's grant does not include ${scope}${contentTopic ? ` on ${contentTopic}` : ""}.`);
  }

  /** Resolves when the person allowed it, now or before. Asks them where needed. */
  async request(origin: string, callId: string, ask: Ask): Promise<Outcome<void>> {
    const site = this.#site(origin);
    if (site.blockedSince !== undefined) return blocked();
    const grant = this.#grant(origin);
    if (grant && covers(grant, ask)) return ok(undefined);
    if (ask.onlyIfTrusted) return unauthorized("This site is not connected, and onlyIfTrusted forbids asking.");
    const pause = (site.pausedUntil ?? 0) - this.#parts.clock.now();
    if (pause > 0) {
      return fail(
        ErrorCode.LimitExceeded,
        `Requests of this site were refused ${LIMITS.origin.refusals} times in a row: it may ask again in ${Math.ceil(pause / 1000)} s.`,
        { retryable: true, data: { retryAfterMs: pause } },
      );
    }
    const open = this.#promptOf(origin);
    return open ? this.#join(open, callId, ask) : this.#ask(origin, callId, ask);
  }

  /** The page no longer waits for this call. A prompt that nobody waits for any more goes away. */
  async withdraw(origin: string, callId: string): Promise<void> {
    const prompt = this.#promptOf(origin);
    if (!prompt?.callIds.includes(callId)) return;
    const callIds = prompt.callIds.filter((id) => id !== callId);
    await this.#parts.transactor.run(() => {
      if (callIds.length > 0) this.#prompts.put(prompt.id, { ...prompt, callIds });
      else this.#prompts.delete(prompt.id);
    });
    // Whoever else holds the call, such as the page before it came back, is not left waiting.
    this.#settle(prompt.id, userRejected(), [callId]);
    this.#changed(origin);
    await this.#closeIfDone();
  }

  /** The person's answer; an error in words if the prompt is no longer open. */
  async answer(promptId: string, decision: PromptDecision): Promise<Result<void>> {
    const { transactor, clock, results } = this.#parts;
    const prompt = this.#prompts.get(promptId);
    if (!prompt) return err("This request is no longer open: the site has to ask again.");
    const { origin } = prompt;
    const refused = decision === "reject" || decision === "block";
    await transactor.run(() => {
      const site = this.#site(origin);
      this.#prompts.delete(promptId);
      this.#sites.put(origin, decided(site, this.#grant(origin), prompt, decision, clock.now(), this.#parts));
      // Kept for calls that are sent again after a restart: the same call gets the same no.
      if (refused) for (const callId of prompt.callIds) results.put(origin, callId, userRejected());
    });
    this.#settle(promptId, refused ? userRejected() : ok(undefined));
    this.#changed(origin);
    await this.#closeIfDone();
    return ok(undefined);
  }

  /** Takes every grant of an origin away. Its channels are the caller's to close. */
  async revoke(origin: string): Promise<void> {
    await this.#forget(origin, ({ grant: _, ...rest }) => rest);
  }

  /** Ends a block, and a pause after refusals. */
  async unblock(origin: string): Promise<void> {
    await this.#forget(origin, ({ blockedSince: _, pausedUntil: __, ...rest }) => ({ ...rest, refusals: [] }));
  }

  /** Open prompts, oldest first. */
  prompts(): readonly UiPrompt[] {
    return [...this.#prompts.values()]
      .sort((a, b) => a.requestedAt - b.requestedAt)
      .map(({ id, origin, requestedAt, channel }) => ({ id, origin, requestedAt, ...(channel && { channel }) }));
  }

  /** Sites with a grant and sites that are blocked, for good or for the pause after refusals; without their channels. */
  sites(): readonly Omit<UiSite, "channels">[] {
    const now = this.#parts.clock.now();
    return [...this.#sites.entries()].flatMap(([origin, site]): Omit<UiSite, "channels">[] => {
      const { blockedSince, pausedUntil = 0 } = site;
      if (blockedSince !== undefined) return [{ origin, state: "blocked", since: blockedSince, lasts: "always" }];
      const grant = this.#grant(origin);
      if (grant) {
        return [{ origin, state: "granted", since: grant.since, lasts: grant.session === null ? "always" : "session" }];
      }
      if (pausedUntil <= now) return [];
      return [{ origin, state: "blocked", since: pausedUntil - LIMITS.origin.refusalBlockMs, lasts: "session" }];
    });
  }

  #site(origin: string): SiteRow {
    return this.#sites.get(origin) ?? UNKNOWN_SITE;
  }

  /** The grant that holds in this browser session. */
  #grant(origin: string): SiteGrant | undefined {
    const { grant, blockedSince } = this.#site(origin);
    if (!grant || blockedSince !== undefined) return undefined;
    return grant.session === null || grant.session === this.#parts.browserSession ? grant : undefined;
  }

  #promptOf(origin: string): PromptRow | undefined {
    for (const prompt of this.#prompts.values()) if (prompt.origin === origin) return prompt;
    return undefined;
  }

  async #ask(origin: string, callId: string, ask: Ask): Promise<Outcome<void>> {
    const { transactor, clock, window, newId } = this.#parts;
    const { scopes, contentTopics, channel } = ask;
    const prompt: PromptRow = {
      id: newId(),
      origin,
      requestedAt: clock.now(),
      scopes: [...scopes],
      ...(contentTopics && { contentTopics: [...contentTopics] }),
      ...(channel && { channel }),
      callIds: [callId],
    };
    const answered = this.#wait(prompt.id, callId);
    await transactor.run(() => this.#prompts.put(prompt.id, prompt));
    this.#changed(origin);
    try {
      await window.open();
    } catch {
      await transactor.run(() => this.#prompts.delete(prompt.id));
      this.#settle(prompt.id, internal());
      this.#changed(origin);
    }
    return answered;
  }

  async #join(prompt: PromptRow, callId: string, ask: Ask): Promise<Outcome<void>> {
    if (
      !covers(prompt, ask) ||
      (prompt.callIds.length >= LIMITS.provider.callsPerPrompt && !prompt.callIds.includes(callId))
    ) {
      return fail(
        ErrorCode.AlreadyPending,
        "The person is being asked about another request of this site: wait for its outcome, then ask again.",
        { retryable: true },
      );
    }
    const answered = this.#wait(prompt.id, callId);
    if (!prompt.callIds.includes(callId)) {
      await this.#parts.transactor.run(() => {
        // Read again: another call may have joined since.
        const current = this.#prompts.get(prompt.id);
        if (current) this.#prompts.put(prompt.id, { ...current, callIds: [...current.callIds, callId] });
      });
    }
    // A window that cannot be brought to the front is still there to be found.
    await this.#parts.window.open().catch(() => {});
    return answered;
  }

  #wait(promptId: string, callId: string): Promise<Outcome<void>> {
    return new Promise((resolve) => {
      const calls = this.#waiters.get(promptId) ?? new Map<string, Set<Waiter>>();
      this.#waiters.set(promptId, calls);
      calls.set(callId, (calls.get(callId) ?? new Set()).add(resolve));
    });
  }

  #settle(promptId: string, outcome: Outcome<void>, callIds?: readonly string[]): void {
    const calls = this.#waiters.get(promptId);
    for (const callId of callIds ?? [...(calls?.keys() ?? [])]) {
      for (const resolve of calls?.get(callId) ?? []) resolve(outcome);
      calls?.delete(callId);
    }
    if (calls?.size === 0) this.#waiters.delete(promptId);
  }

  async #refuseAll(): Promise<void> {
    for (const id of [...this.#prompts.keys()]) await this.answer(id, "reject");
  }

  async #forget(origin: string, change: (site: SiteRow) => SiteRow): Promise<void> {
    const site = this.#sites.get(origin);
    if (!site) return;
    await this.#parts.transactor.run(() => this.#sites.put(origin, change(this.#site(origin))));
    this.#changed(origin);
  }

  async #closeIfDone(): Promise<void> {
    if (this.#prompts.size === 0) await this.#parts.window.close().catch(() => {});
  }

  #changed(origin: string): void {
    for (const listener of this.#listeners) listener(origin);
  }
}

/** Whether what is granted, or asked about, includes what is asked for. */
function covers(
  has: { readonly scopes: readonly Scope[]; readonly contentTopics?: readonly string[] },
  wants: Ask,
): boolean {
  if (!wants.scopes.every((scope) => has.scopes.includes(scope))) return false;
  if (!has.contentTopics) return true;
  return wants.contentTopics?.every((topic) => has.contentTopics?.includes(topic)) ?? false;
}

function decided(
  site: SiteRow,
  current: SiteGrant | undefined,
  prompt: PromptRow,
  decision: PromptDecision,
  now: number,
  { browserSession }: PermissionParts,
): SiteRow {
  switch (decision) {
    case "block":
      return { blockedSince: now, refusals: [] };
    case "reject": {
      const { refusals: bound, refusalWindowMs, refusalBlockMs } = LIMITS.origin;
      const refusals = [...site.refusals.filter((at) => now - at < refusalWindowMs), now];
      if (refusals.length < bound) return { ...site, refusals };
      return { ...site, refusals: [], pausedUntil: now + refusalBlockMs };
    }
    case "always":
    case "once": {
      const { pausedUntil: _, ...rest } = site;
      const always = decision === "always" || (current !== undefined && current.session === null);
      const topics =
        prompt.contentTopics && (!current || current.contentTopics)
          ? [...new Set([...(current?.contentTopics ?? []), ...prompt.contentTopics])]
          : undefined;
      const grant: SiteGrant = {
        since: current?.since ?? now,
        session: always ? null : browserSession,
        scopes: ALL_SCOPES.filter((scope) => prompt.scopes.includes(scope) || current?.scopes.includes(scope)),
        ...(topics && { contentTopics: topics }),
      };
      return { ...rest, refusals: [], grant };
    }
  }
}
