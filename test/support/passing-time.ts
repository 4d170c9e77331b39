import type { VirtualClock } from "../../packages/reliable-channel/mock/virtual-clock.ts";

/** Lets time pass from one timer to the next, and has what is under way, and what each of them leads to, `settle` before the next. */
export async function passTime(clock: VirtualClock, settle: () => Promise<void>, ms: number): Promise<void> {
  await settle();
  for (const end = clock.now() + ms; clock.now() < end; ) {
    await clock.advance(Math.min(end, Math.max(clock.now() + 1, clock.next ?? end)) - clock.now());
    await settle();
  }
}
