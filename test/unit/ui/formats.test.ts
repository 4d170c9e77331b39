import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFormats, originParts } from "../../../src/ui/formats.ts";

const NOW = Date.UTC(2026, 4, 29, 20, 0);
const MINUTE = 60_000;

describe("createFormats", () => {
  const { relative, day, moment } = createFormats("en", "UTC");

  it.each([
    [0, "now"],
    [59_999, "now"],
    [MINUTE, "1 minute ago"],
    [59 * MINUTE, "59 minutes ago"],
    [60 * MINUTE, "1 hour ago"],
    [23 * 60 * MINUTE, "23 hours ago"],
    [25 * 60 * MINUTE, "yesterday"],
    [8 * 24 * 60 * MINUTE, "last week"],
    [400 * 24 * 60 * MINUTE, "last year"],
  ])("says how long ago %d ms is", (ago, words) => {
    expect(relative(NOW - ago, NOW)).toBe(words);
  });

  it("takes a time ahead for now, as clocks disagree", () => {
    expect(relative(NOW + 5 * MINUTE, NOW)).toBe("now");
  });

  it("writes days and moments as the language does", () => {
    expect(day(NOW)).toBe("May 29, 2026");
    expect(moment(NOW)).toMatch(/^May 29, 2026, 8:00\sPM$/);
    expect(createFormats("de", "UTC").day(NOW)).toBe("29.05.2026");
  });
});

describe("originParts", () => {
  it.each([
    ["https://example.org", "https://", "", "example.org"],
    ["https://chat.team.example.org:8443", "https://", "chat.team.", "example.org:8443"],
    ["http://localhost:5173", "http://", "", "localhost:5173"],
    ["http://127.0.0.1:8080", "http://", "", "127.0.0.1:8080"],
    ["http://[::1]:8080", "http://", "", "[::1]:8080"],
    ["https://paypal.com.evil.example", "https://", "paypal.com.", "evil.example"],
  ])("splits %s so that the telling part stands out", (origin, scheme, before, main) => {
    expect(originParts(origin)).toEqual({ scheme, before, main });
  });

  it("never leaves anything out", () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), fc.string()), (origin) => {
        const { scheme, before, main } = originParts(origin);
        expect(scheme + before + main).toBe(origin);
      }),
    );
  });
});
