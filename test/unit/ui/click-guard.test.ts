import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { LIMITS } from "../../../src/limits.ts";
import { guardClicks } from "../../../src/ui/click-guard.ts";

const { promptGuardMs } = LIMITS.ui;

describe("the guard of buttons that allow something", () => {
  function guarded() {
    const clock = new VirtualClock();
    const view = new EventTarget();
    const state = { armed: true };
    const end = guardClicks(
      (armed) => {
        state.armed = armed;
      },
      view,
      clock,
    );
    return { clock, view, state, end };
  }

  it("takes no click in the first moment", async () => {
    const { clock, state } = guarded();
    expect(state.armed).toBe(false);
    await clock.advance(promptGuardMs - 1);
    expect(state.armed).toBe(false);
    await clock.advance(1);
    expect(state.armed).toBe(true);
  });

  it("takes none either in the first moment after the window came to the front, however often it does", async () => {
    const { clock, view, state } = guarded();
    await clock.advance(promptGuardMs);
    for (let i = 0; i < 3; i++) {
      view.dispatchEvent(new Event("focus"));
      expect(state.armed).toBe(false);
      await clock.advance(promptGuardMs - 1);
      expect(state.armed).toBe(false);
    }
    await clock.advance(1);
    expect(state.armed).toBe(true);
  });

  it("says nothing more after its end", async () => {
    const { clock, view, state, end } = guarded();
    end();
    view.dispatchEvent(new Event("focus"));
    await clock.advance(2 * promptGuardMs);
    expect(state.armed).toBe(false);
  });
});
