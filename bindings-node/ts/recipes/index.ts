/** Recipes: what programs build out of znodes, the same in all of Zoowarden's languages. */

export { Barrier } from "./barrier.js";
export { TreeCache, ZnodeCache } from "./cache.js";
export type { TreeChange } from "./cache.js";
export { Counter } from "./counter.js";
export type { CounterEncoding } from "./counter.js";
export {
  DoubleBarrier,
  Election,
  Group,
  Holding,
  Lock,
  ReadWriteLock,
  Semaphore,
} from "./holding.js";
export type { Contender, Loss, RecipeOptions } from "./holding.js";
export { Queue } from "./queue.js";
export type { Entry, PutOptions } from "./queue.js";
