/** How far an own message came. */

export type Delivery = "new" | "queued" | "sent" | "delivered" | "send-error" | "delivery-error";

/**
 * Events repeat, and past ones are read while new ones arrive; so a state only ever moves up. A delivery may still be
 * confirmed after a `delivery-error`, never the other way round.
 */
const RANK: Readonly<Record<Delivery, number>> = {
  new: 0,
  queued: 1,
  "send-error": 2,
  sent: 3,
  "delivery-error": 4,
  delivered: 5,
};

export function advance(from: Delivery, to: Delivery): Delivery {
  return RANK[to] > RANK[from] ? to : from;
}

export function failed(delivery: Delivery): boolean {
  return delivery === "send-error" || delivery === "delivery-error";
}
