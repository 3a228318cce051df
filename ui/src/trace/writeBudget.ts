/**
 * How often the address may be written: browsers take about 100 changes in 30 s and drop those beyond. A few at once are
 * free, so that single choices stand in the address before anything else can happen (a reload, a copied link); only a
 * stream of changes, as of a drag, waits.
 */
export class WriteBudget {
  private left: number;
  private refilledAtMs: number;

  /** `burst` writes at once, and one more every `everyMs`; times in milliseconds of one clock. */
  constructor(
    private readonly burst: number,
    private readonly everyMs: number,
    nowMs: number,
  ) {
    this.left = burst;
    this.refilledAtMs = nowMs;
  }

  /** Milliseconds until a write may be made; 0: now. */
  waitMs(nowMs: number): number {
    this.refill(nowMs);
    return this.left > 0 ? 0 : this.refilledAtMs + this.everyMs - nowMs;
  }

  /** A write was made. */
  spend(nowMs: number): void {
    this.refill(nowMs);
    this.left = Math.max(0, this.left - 1);
  }

  private refill(nowMs: number): void {
    const gained = Math.floor((nowMs - this.refilledAtMs) / this.everyMs);
    if (gained <= 0) return;
    this.left = Math.min(this.burst, this.left + gained);
    this.refilledAtMs += gained * this.everyMs;
  }
}
