/**
 * The failed requests that the person has looked at, so that the badge tells of the others only. They are kept by their
 * ids in `storage.local`: a failure that was seen is not news after a restart.
 */
import { LIMITS } from "../limits.ts";
import type { UiRequest } from "../ui/background-api.ts";
import type { SettingsArea } from "./ui-keys.ts";

const SEEN = "seenFailures";

type Failed = Pick<UiRequest, "requestId" | "state">;

/** A message that left and that nobody acknowledged is no failure to act upon. */
const hasFailed = ({ state }: Failed): boolean => state === "send-error";

export class SeenFailures {
  readonly #settings: SettingsArea;
  /** Oldest first. */
  readonly #seen: Set<string>;

  static async load(settings: SettingsArea): Promise<SeenFailures> {
    const { [SEEN]: stored } = await settings.get(SEEN);
    const ids: unknown[] = Array.isArray(stored) ? stored : [];
    return new SeenFailures(
      settings,
      ids.filter((id) => typeof id === "string"),
    );
  }

  private constructor(settings: SettingsArea, ids: readonly string[]) {
    this.#settings = settings;
    this.#seen = new Set(ids);
  }

  /** How many of the requests failed and were not looked at. One that was taken up again is news if it fails again. */
  unseen(requests: readonly Failed[]): number {
    const before = this.#seen.size;
    for (const request of requests) if (!hasFailed(request)) this.#seen.delete(request.requestId);
    // What is lost here is shown once more, at worst.
    if (this.#seen.size < before) void this.#store().catch(() => {});
    return requests.filter((request) => hasFailed(request) && !this.#seen.has(request.requestId)).length;
  }

  /** The person looks at them. Resolves once that is remembered. */
  async see(requests: readonly Failed[]): Promise<void> {
    if (this.unseen(requests) === 0) return;
    for (const request of requests) if (hasFailed(request)) this.#seen.add(request.requestId);
    for (const oldest of this.#seen) {
      if (this.#seen.size <= LIMITS.provider.seenFailures) break;
      this.#seen.delete(oldest);
    }
    await this.#store();
  }

  async #store(): Promise<void> {
    await this.#settings.set({ [SEEN]: [...this.#seen] });
  }
}
