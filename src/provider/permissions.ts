/**
 * Which sites may use channels, and how the person is asked.
 *
 * One prompt per origin is open at a time, and one window shows them all. A second call of the same origin waits for the
 * answer to the open prompt and brings the window to the front; only a call that asks for more than the prompt shows is
 * refused with `AlreadyPending`. Prompts are rows: a prompt outlives the worker that opened it, and its answer is kept
 * for the calls that will be sent again.
 *
 * A prompt for a new encrypted channel asks for its key too, also where the site is allowed already. While the vault is
 * locked, the window shows how to unlock it, and calls wait for that as they do for an answer.
 */

import type { Storage } from "../channel/ports.ts";
import type { EncryptionMode, Profile } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import { ok } from "../common/result.ts";
import type { Journal } from "../common/table.ts";
import { Table } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { LIMITS } from "../limits.ts";
import type { PromptDecision, UiKeyChoice, UiPrompt, UiSite } from "../ui/background-api.ts";
import type { CallResults } from "./call-results.ts";
import type { Failure, Outcome } from "./failures.ts";
import { blocked, fail, internal, keyRequired, locked, unauthorized, userRejected } from "./failures.ts";
import { type ChoosableKeys, carryOut } from "./key-choice.ts";
import type { LockView } from "./lock-view.ts";
import type { PromptRow, SiteGrant, SiteRow } from "./permission-rows.ts";
import { readPrompts, readSites } from "./permission-rows.ts";
import type { Grant, Scope } from "./provider-api.ts";
import { ErrorCode } from "./provider-api.ts";
import { type Carried, refused } from "./refusals.ts";

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
  /** The channel needs a key of the person's choice; `suggested` is the stored id of the one that is offered first. */
  readonly keyChoice?: { readonly suggested?: string };
  readonly onlyIfTrusted?: boolean;
}

/** What the person allowed. */
export interface Allowed {
  /** The stored id of the key that they chose, where there was a choice and they did. */
  readonly keyId?: string;
}

export interface PermissionParts {
  readonly journal: Journal;
  readonly storage: Storage;
  readonly transactor: Transactor;
  readonly clock: Clock;
  readonly results: CallResults;
  readonly window: PromptWindow;
  readonly keys: ChoosableKeys;
  readonly vault: LockView;
  /** Identifies the running browser session; see `browser-session.ts`. */
  readonly browserSession: string;
  newId(): string;
}

type Waiter = (outcome: Outcome<Allowed>) => void;

const UNKNOWN_SITE: SiteRow = { refusals: [] };

export class Permissions {
  readonly #parts: PermissionParts;
  readonly #sites: Table<string, SiteRow>;
  readonly #prompts: Table<string, PromptRow>;
  /** By prompt, then by call: who waits in this life of the worker. */
  readonly #waiters: Waiters = new Map();
  /** By origin, then by call: who waits for the vault to be unlocked, and for nothing else. */
  readonly #waitForUnlock: Waiters = new Map();
  /** Prompts whose answer is being carried out. */
  readonly #answering = new Set<string>();
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
    this.#parts.vault.listen(() => void this.#unlocked().catch(() => {}));
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
  async request(origin: string, callId: string, ask: Ask): Promise<Outcome<Allowed>> {
    const site = this.#site(origin);
    if (site.blockedSince !== undefined) return blocked();
    const grant = this.#grant(origin);
    const granted = grant !== undefined && covers(grant, ask);
    const isLocked = this.#parts.vault.locked;
    if (granted && !isLocked && !ask.keyChoice) return ok({});
    if (ask.onlyIfTrusted) {
      if (!granted) return unauthorized("This site is not connected, and onlyIfTrusted forbids asking.");
      return isLocked ? locked() : keyRequired();
    }
    const pause = (site.pausedUntil ?? 0) - this.#parts.clock.now();
    if (pause > 0) {
      return fail(
        ErrorCode.LimitExceeded,
        `${LIMITS.origin.refusals} requests of this site in a row were refused, or given up by it: it may ask again in ${Math.ceil(pause / 1000)} s.`,
        { retryable: true, data: { retryAfterMs: pause } },
      );
    }
    if (granted && !ask.keyChoice) return this.#askToUnlock(origin, callId);
    const open = this.#promptOf(origin);
    return open ? this.#join(open, callId, ask) : this.#ask(origin, callId, ask);
  }

  /**
   * The page no longer waits for this call. A prompt that nobody waits for any more goes away, and counts like a refused
   * one: a site could otherwise bring up the window again and again, each time before anybody can answer.
   */
  async withdraw(origin: string, callId: string): Promise<void> {
    if (this.#waitForUnlock.get(origin)?.has(callId)) {
      settle(this.#waitForUnlock, origin, userRejected(), [callId]);
      if (!this.#waitForUnlock.has(origin)) await this.#countRefusal(origin);
      await this.#closeIfDone();
      return;
    }
    const prompt = this.#promptOf(origin);
    if (!prompt?.callIds.includes(callId)) return;
    const callIds = prompt.callIds.filter((id) => id !== callId);
    const { transactor, clock } = this.#parts;
    await transactor.run(() => {
      if (callIds.length > 0) {
        this.#prompts.put(prompt.id, { ...prompt, callIds });
      } else {
        this.#prompts.delete(prompt.id);
        this.#sites.put(origin, refusedOnce(this.#site(origin), clock.now()));
      }
    });
    // Whoever else holds the call, such as the page before it came back, is not left waiting.
    settle(this.#waiters, prompt.id, userRejected(), [callId]);
    this.#changed(origin);
    await this.#closeIfDone();
  }

  /**
   * The person's answer, with the key where the prompt asks for one. Refused if the prompt is no longer open, or if
   * something is the matter with the key; the prompt then stays.
   */
  async answer(promptId: string, decision: PromptDecision, key?: UiKeyChoice): Promise<Carried<void>> {
    if (!this.#prompts.has(promptId)) return NO_LONGER_OPEN;
    if (decision === "reject" || decision === "block") return this.#refuse(promptId, decision);
    if (this.#parts.vault.locked) return refused("vault-locked", "The extension is locked: unlock it first.");
    if (this.#answering.has(promptId)) return refused("prompt-busy", "This request is being answered.");
    this.#answering.add(promptId);
    try {
      return await this.#allow(promptId, decision, key);
    } finally {
      this.#answering.delete(promptId);
    }
  }

  async #refuse(promptId: string, decision: "reject" | "block"): Promise<Carried<void>> {
    const { transactor, results } = this.#parts;
    const prompt = await transactor.run(() => {
      const open = this.#prompts.get(promptId);
      if (!open) return undefined;
      this.#decide(open, decision);
      // Kept for calls that are sent again after a restart: the same call gets the same no.
      for (const callId of open.callIds) results.put(open.origin, callId, userRejected());
      return open;
    });
    return this.#answered(prompt, userRejected());
  }

  async #allow(promptId: string, decision: "always" | "once", key: UiKeyChoice | undefined): Promise<Carried<void>> {
    const { transactor, results, keys } = this.#parts;
    const chosen =
      key && this.#prompts.get(promptId)?.keyChoice !== undefined ? await carryOut(keys, key) : ok(undefined);
    if (!chosen.ok) return chosen;
    const allowed = await transactor.run((): Carried<PromptRow | undefined> => {
      // Read again: calls may have joined, and the page may have gone, while the key was made.
      const open = this.#prompts.get(promptId);
      if (!open) return ok(undefined);
      const bound = chosen.value?.bind(open.origin) ?? ok(undefined);
      if (!bound.ok) return bound;
      this.#decide(open, decision);
      if (open.keyChoice) {
        for (const callId of open.callIds) results.putChosenKey(open.origin, callId, chosen.value?.keyId);
      }
      return ok(open);
    });
    if (!allowed.ok) return allowed;
    return this.#answered(allowed.value, ok(chosen.value ? { keyId: chosen.value.keyId } : {}));
  }

  #decide(prompt: PromptRow, decision: PromptDecision): void {
    const { origin, id } = prompt;
    const now = this.#parts.clock.now();
    this.#prompts.delete(id);
    this.#sites.put(origin, decided(this.#site(origin), this.#grant(origin), prompt, decision, now, this.#parts));
  }

  async #answered(prompt: PromptRow | undefined, outcome: Outcome<Allowed>): Promise<Carried<void>> {
    if (!prompt) return NO_LONGER_OPEN;
    settle(this.#waiters, prompt.id, outcome);
    this.#changed(prompt.origin);
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

  /** Open prompts, oldest first, each with all that the site may do once it is allowed. */
  prompts(): readonly UiPrompt[] {
    return [...this.#prompts.values()]
      .sort((a, b) => a.requestedAt - b.requestedAt)
      .map((prompt) => {
        const { id, origin, requestedAt, channel, keyChoice } = prompt;
        const reach = reachOf(this.#grant(origin), prompt);
        return { id, origin, requestedAt, ...reach, ...(channel && { channel }), ...(keyChoice && { keyChoice }) };
      });
  }

  /**
   * Sites with a grant and sites that are blocked, for good or for the pause after refusals; without their channels. One
   * that has a grant and asked in vain, for a key or to be unlocked, is both.
   */
  sites(): readonly Omit<UiSite, "channels" | "pending">[] {
    const now = this.#parts.clock.now();
    return [...this.#sites.entries()].flatMap(([origin, site]): Omit<UiSite, "channels" | "pending">[] => {
      const { blockedSince, pausedUntil = 0 } = site;
      if (blockedSince !== undefined) return [{ origin, state: "blocked", since: blockedSince, lasts: "always" }];
      const sites: Omit<UiSite, "channels" | "pending">[] = [];
      const grant = this.#grant(origin);
      if (grant) {
        const lasts = grant.session === null ? "always" : "session";
        sites.push({ origin, state: "granted", since: grant.since, lasts });
      }
      if (pausedUntil > now) {
        const since = pausedUntil - LIMITS.origin.refusalBlockMs;
        sites.push({ origin, state: "blocked", since, lasts: "session" });
      }
      return sites;
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

  /** Only the vault stands between the site and what it may do. */
  async #askToUnlock(origin: string, callId: string): Promise<Outcome<Allowed>> {
    const unlocked = wait(this.#waitForUnlock, origin, callId);
    await this.#parts.window.open().catch(() => settle(this.#waitForUnlock, origin, internal(), [callId]));
    return unlocked;
  }

  /** The window may show prompts next, or has nothing to show any more, also where an earlier life had opened it. */
  async #unlocked(): Promise<void> {
    if (this.#parts.vault.locked) return;
    for (const origin of [...this.#waitForUnlock.keys()]) settle(this.#waitForUnlock, origin, ok({}));
    await this.#closeIfDone();
  }

  async #ask(origin: string, callId: string, ask: Ask): Promise<Outcome<Allowed>> {
    const { transactor, clock, window, newId } = this.#parts;
    const { scopes, contentTopics, channel, keyChoice } = ask;
    const prompt: PromptRow = {
      id: newId(),
      origin,
      requestedAt: clock.now(),
      scopes: [...scopes],
      ...(contentTopics && { contentTopics: [...contentTopics] }),
      ...(channel && { channel }),
      ...(keyChoice && { keyChoice }),
      callIds: [callId],
    };
    const answered = wait(this.#waiters, prompt.id, callId);
    await transactor.run(() => this.#prompts.put(prompt.id, prompt));
    this.#changed(origin);
    try {
      await window.open();
    } catch {
      await transactor.run(() => this.#prompts.delete(prompt.id));
      settle(this.#waiters, prompt.id, internal());
      this.#changed(origin);
    }
    return answered;
  }

  async #join(prompt: PromptRow, callId: string, ask: Ask): Promise<Outcome<Allowed>> {
    // One answer names one key, for the channel that the person sees.
    const otherKey = ask.keyChoice && !(prompt.keyChoice && prompt.channel?.channelId === ask.channel?.channelId);
    if (
      !covers(prompt, ask) ||
      otherKey ||
      (prompt.callIds.length >= LIMITS.provider.callsPerPrompt && !prompt.callIds.includes(callId))
    ) {
      return fail(
        ErrorCode.AlreadyPending,
        "The person is being asked about another request of this site: wait for its outcome, then ask again.",
        { retryable: true },
      );
    }
    const answered = wait(this.#waiters, prompt.id, callId);
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

  async #refuseAll(): Promise<void> {
    for (const origin of [...this.#waitForUnlock.keys()]) {
      settle(this.#waitForUnlock, origin, userRejected());
      await this.#countRefusal(origin);
    }
    for (const id of [...this.#prompts.keys()]) await this.answer(id, "reject");
  }

  /** The vault stays locked: a site must not bring the window back again and again. */
  async #countRefusal(origin: string): Promise<void> {
    const { transactor, clock } = this.#parts;
    await transactor.run(() => this.#sites.put(origin, refusedOnce(this.#site(origin), clock.now())));
    this.#changed(origin);
  }

  async #forget(origin: string, change: (site: SiteRow) => SiteRow): Promise<void> {
    const site = this.#sites.get(origin);
    if (!site) return;
    await this.#parts.transactor.run(() => this.#sites.put(origin, change(this.#site(origin))));
    this.#changed(origin);
  }

  async #closeIfDone(): Promise<void> {
    if (this.#prompts.size === 0 && this.#waitForUnlock.size === 0) await this.#parts.window.close().catch(() => {});
  }

  #changed(origin: string): void {
    for (const listener of this.#listeners) listener(origin);
  }
}

const NO_LONGER_OPEN = refused("prompt-gone", "This request is no longer open: the site has to ask again.");

type Waiters = Map<string, Map<string, Set<Waiter>>>;

function wait(waiters: Waiters, what: string, callId: string): Promise<Outcome<Allowed>> {
  return new Promise((resolve) => {
    const calls = waiters.get(what) ?? new Map<string, Set<Waiter>>();
    waiters.set(what, calls);
    calls.set(callId, (calls.get(callId) ?? new Set()).add(resolve));
  });
}

/** All that wait, or those calls. */
function settle(waiters: Waiters, what: string, outcome: Outcome<Allowed>, callIds?: readonly string[]): void {
  const calls = waiters.get(what);
  for (const callId of callIds ?? [...(calls?.keys() ?? [])]) {
    for (const resolve of calls?.get(callId) ?? []) resolve(outcome);
    calls?.delete(callId);
  }
  if (calls?.size === 0) waiters.delete(what);
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

/** What may be done with what is granted and with what is asked for together: all of its scopes on all of its topics. */
function reachOf(current: SiteGrant | undefined, prompt: PromptRow): Pick<SiteGrant, "scopes" | "contentTopics"> {
  const scopes = ALL_SCOPES.filter((scope) => prompt.scopes.includes(scope) || current?.scopes.includes(scope));
  if (!prompt.contentTopics || (current && !current.contentTopics)) return { scopes };
  return { scopes, contentTopics: [...new Set([...(current?.contentTopics ?? []), ...prompt.contentTopics])] };
}

function refusedOnce(site: SiteRow, now: number): SiteRow {
  const { refusals: bound, refusalWindowMs, refusalBlockMs } = LIMITS.origin;
  const refusals = [...site.refusals.filter((at) => now - at < refusalWindowMs), now];
  if (refusals.length < bound) return { ...site, refusals };
  return { ...site, refusals: [], pausedUntil: now + refusalBlockMs };
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
    case "reject":
      return refusedOnce(site, now);
    case "always":
    case "once": {
      const { pausedUntil: _, ...rest } = site;
      const always = decision === "always" || (current !== undefined && current.session === null);
      const grant: SiteGrant = {
        since: current?.since ?? now,
        session: always ? null : browserSession,
        ...reachOf(current, prompt),
      };
      return { ...rest, refusals: [], grant };
    }
  }
}
