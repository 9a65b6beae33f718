/** What a host has spent of retry budgets. */
import { createSpending, deposit, withdraw, type Spending } from "../../shared/engine/retry-budget.ts";

/** So many first tries and retries, all at `at`. */
export function spent(firstTries: number, retries: number, at: number): Spending {
  const spending = createSpending();
  for (let tries = 0; tries < firstTries; tries++) deposit(spending, at);
  for (let tries = 0; tries < retries; tries++) withdraw(spending, at);
  return spending;
}
