package dashboards

// provider answers: do the devices work, how fast, and what do they cost?
func provider() Dashboard {
	return page("frostfleet-provider", "Frostfleet: key provider and cost",
		"The KMS or HSM behind each worker: does it work, how fast is it, what does it cost?", `fleet="$fleet", role="worker"`,
		under(providerNow(), providerTraffic(), providerLatency(), providerErrors(), providerCost())...)
}

func providerNow() []Panel {
	return []Panel{row("Now"),
		states("Key provider", "Green while the device works. Red: the worker falls silent, at once or when its session key ends. t others still sign; key generation waits for it.",
			"{{node}}", `frostfleet_provider_up{fleet="$fleet", node=~"$node"}`, word{"0", "fails", bad}, word{"1", "works", good}).
			alert("FrostfleetKeyProviderFailing"),
		list("Failing because of", "The reason, as the runbook's table has it. /readyz of the node says since when, and what to do.",
			`max by (node, reason) (frostfleet_provider_failing{fleet="$fleet", node=~"$node"} == 1)`).size(6, 8).empty("every key provider works"),
		states("Circuit", "Red while calls fail at once and the device is left alone, but for a try each 5 to 30 seconds.",
			"{{node}}", `frostfleet_provider_circuit_open{fleet="$fleet", node=~"$node"}`, word{"0", "closed", good}, word{"1", "open", bad}).size(6, 8),
	}
}

func providerTraffic() []Panel {
	return []Panel{row("Traffic"),
		lines("Calls a second", "reqps", "Calls that the device got, each attempt. derive happens at a start and after a failure only; at other times it is worth a question.",
			"{{node}} {{operation}}", `sum by (node, operation) (rate(frostfleet_provider_call_seconds_count{fleet="$fleet", node=~"$node"}[$__rate_interval]))`),
		lines("Digests in a signature", "none", "How many digests one signature of the device served, on average. Near 1 when there is little to do. Large: the device is slow for the load, and the worker gathers.",
			"{{node}}", mean(`frostfleet_provider_coalesced_digests`, `{fleet="$fleet", node=~"$node"}`, "node")),
		lines("Derived values from memory", "percentunit", "Share of the derived values of the time shown that memory had. Misses cost a call each: those of a start are all there should be. No line: none were needed.",
			"{{node}}", `sum by (node) (increase(frostfleet_provider_cache_total{fleet="$fleet", node=~"$node", result="hit"}[$__range])) / sum by (node) (increase(frostfleet_provider_cache_total{fleet="$fleet", node=~"$node"}[$__range]))`).
			upTo(1),
	}
}

func providerLatency() []Panel {
	return []Panel{row("Latency"),
		latency("Signatures", "Successful signatures of the device, p50 and p99. An HSM or a KMS takes 5 to 50 ms. One node apart from the others: its device or its network. All of them: the region.",
			`frostfleet_provider_call_seconds_bucket{fleet="$fleet", node=~"$node", operation="sign", outcome="ok"}`, "node", " {{node}}").
			lined(good, from(1, bad)).
			alert("FrostfleetKeyProviderSlow"),
		latency("Other calls", "Successful calls of the other kinds, p50 and p99: derive, public_key, describe, login. Of a start, mostly; no line while there are none.",
			`frostfleet_provider_call_seconds_bucket{fleet="$fleet", node=~"$node", operation!="sign", outcome="ok"}`, "operation", " {{operation}}"),
		heatmap("Signatures by time taken", "Every successful signature of the chosen nodes. A second band at a multiple of the first: calls that were tried again inside the device's library.",
			`sum by (le) (increase(frostfleet_provider_call_seconds_bucket{fleet="$fleet", node=~"$node", operation="sign", outcome="ok"}[$__rate_interval]))`).size(8, 8),
	}
}

func providerErrors() []Panel {
	return []Panel{row("Errors and saturation"),
		bars("Calls that failed", "Each attempt, by the reason. throttled: the quota of the account. timeout, unavailable: the way to it. denied, disabled, pending_deletion: somebody changed something, ask who.", "no call failed",
			"{{node}} {{operation}} {{outcome}}", `sum by (node, operation, outcome) (increase(frostfleet_provider_call_seconds_count{fleet="$fleet", node=~"$node", outcome!="ok"}[$__rate_interval])) > 0`),
		lines("Share of calls that failed", "percentunit", "Over a few percent something is wrong, even while retries hide it from users.",
			"{{node}}", `1 - sum by (node) (rate(frostfleet_provider_call_seconds_count{fleet="$fleet", node=~"$node", outcome="ok"}[$__rate_interval])) / sum by (node) (rate(frostfleet_provider_call_seconds_count{fleet="$fleet", node=~"$node"}[$__rate_interval]))`).
			upTo(1).lined(good, from(0.05, bad)).
			alert("FrostfleetKeyProviderErrors", "FrostfleetKeyProviderThrottled"),
		lines("Device's time in use", "none", "Calls that the device was at work on, on average. Near the number of sessions it allows, the node can do no more: signatures gather (digests in a signature).",
			"{{node}}", `sum by (node) (rate(frostfleet_provider_call_seconds_sum{fleet="$fleet", node=~"$node"}[$__rate_interval]))`),
	}
}

func providerCost() []Panel {
	return []Panel{row("Cost"),
		figure("Cost of a month", "currencyUSD", "All chosen nodes, calls and keys, if the month is like the last hour. List prices without free tiers: an upper bound.",
			"", `sum(frostfleet_provider_month_usd{fleet="$fleet", node=~"$node"})`).size(4, 8),
		figure("Cost of the time shown", "currencyUSD", "What the calls of the chosen nodes in the time shown were charged, without the monthly price of keys.",
			"", `sum(increase(frostfleet_provider_cost_usd_total{fleet="$fleet", node=~"$node"}[$__range]))`).size(4, 8),
		lines("Month by node", "currencyUSD", "The estimate of each node over time. One node above the others makes calls that they do not: starts, failures, or a second user of its key.",
			"{{node}}", `frostfleet_provider_month_usd{fleet="$fleet", node=~"$node"}`),
		lines("Calls for 1,000 signatures and keys", "none", "Calls of the chosen nodes to their devices for every 1,000 signatures and keys that the fleet made in the time shown. Idle nodes call too, to renew their session keys.",
			"{{node}}", `1000 * sum by (node) (increase(frostfleet_provider_call_seconds_count{fleet="$fleet", node=~"$node"}[$__range])) / on () group_left () sum(increase(frostfleet_job_items_sum{fleet="$fleet"}[$__range]))`),
	}
}
