package dashboards

// overview answers: is anybody hurt, and which node or part is it?
func overview() Dashboard {
	return page("frostfleet-fleet", "Frostfleet: fleet",
		"Does the fleet sign, how fast, and who is in the way? Begin here; the other pages say why.", `fleet="$fleet"`,
		under(overviewNow(), overviewTraffic(), overviewLatency(), overviewErrors(), overviewSaturation())...)
}

func overviewNow() []Panel {
	return []Panel{row("Now"),
		figure("Workers to spare", "none", "Ready workers beyond the t that signing needs. 0: the next one that fails stops signing. Below 0: nothing is signed. Key generation needs all n, whatever is spare.",
			"", `(sum(frostfleet_ready{fleet="$fleet", role="worker"}) or vector(0)) - max(frostfleet_fleet_threshold{fleet="$fleet"})`).
			steps(bad, from(0, watch), from(1, good)).
			alert("FrostfleetBelowThreshold", "FrostfleetMarginGone"),
		figure("Gateways ready", "none", "Gateways that take jobs. 0: jobs wait in JOBS until one is back.",
			"", `sum(frostfleet_ready{fleet="$fleet", role="gateway"}) or vector(0)`).steps(bad, from(1, good)).
			alert("FrostfleetNoGateway"),
		figure("Sign jobs that the fleet kept", "percentunit", "Sign jobs in the time shown that did not end by the fleet's own fault: signing_failed, poison or internal. The objective is 99.9 %. What a client did wrong does not count. Empty if no job ended.",
			"", `1 - sum(increase(frostfleet_jobs_total{fleet="$fleet", kind="sign", code=~"`+fleetsFault+`"}[$__range])) / sum(increase(frostfleet_jobs_total{fleet="$fleet", kind="sign", code=~"done|`+fleetsFault+`"}[$__range]))`).
			steps(bad, from(0.999, good)).decimals(3).
			alert("FrostfleetSigningFails"),
		figure("Small sign jobs within 0.25 s", "percentunit", "Sign jobs of up to 10 items in the time shown that were done within a quarter of a second. The objective is 99 %.",
			"", `sum(increase(frostfleet_job_seconds_bucket{fleet="$fleet", kind="sign", load="interactive", le="0.25"}[$__range])) / sum(increase(frostfleet_job_seconds_count{fleet="$fleet", kind="sign", load="interactive"}[$__range]))`).
			steps(bad, from(0.99, good)).decimals(2).
			alert("FrostfleetSigningSlow"),
		figure("Keys", "none", "Keys in the gateways' directory: the whole fleet's. It never falls; if it does, KEYS was put back to an older state.",
			"", `max(frostfleet_keys{fleet="$fleet", role="gateway"})`),
		figure("Cost of a month", "currencyUSD", "What the key providers would charge for a month like the last hour, keys included. An estimate by list prices.",
			"", `sum(frostfleet_provider_month_usd{fleet="$fleet"})`),
		states("Programs", "Each program over time. A red strip: Prometheus does not reach it, so it is down or cut off. Orange: it runs and says that it is not ready; the table beside says why.",
			"{{node}}", `sum by (node) (up{job="frostfleet", fleet="$fleet", node=~"$node"}) + sum by (node) (frostfleet_ready{fleet="$fleet", node=~"$node"}) or sum by (node) (up{job="frostfleet", fleet="$fleet", node=~"$node"})`,
			word{"0", "down", bad}, word{"1", "not ready", watch}, word{"2", "ready", good}).
			alert("FrostfleetNodeDown", "FrostfleetNodeNotReady", "FrostfleetNodeFlapping", "FrostfleetGatewayDown", "FrostfleetUnwatched"),
		list("Failing checks", "What /readyz of each program that is not ready complains of. Its body has the reason: curl -s http://HOST:PORT/readyz.",
			`max by (node, role, check) (frostfleet_check{fleet="$fleet", node=~"$node"} == 0)`).size(6, 8).empty("every check passes"),
		list("Alerts that fire", "Each has its section in the runbook.",
			`max by (alertname, severity, node) (ALERTS{alertname=~"Frostfleet.*", alertstate="firing", fleet=~"|$fleet"})`).size(6, 8).empty("no alert fires"),
	}
}

func overviewTraffic() []Panel {
	return []Panel{row("Traffic"),
		lines("Jobs a second", "reqps", "Jobs that ended, whatever their end, by kind. A line that drops to 0 while clients work: look at the jobs that wait.",
			"{{kind}}", `sum by (kind) (rate(frostfleet_jobs_total{fleet="$fleet"}[$__rate_interval]))`),
		lines("Keys and signatures a second", "cps", "What the done jobs asked for. Bulk jobs show when they end, so this line is rougher than the work.",
			"{{kind}}", `sum by (kind) (rate(frostfleet_job_items_sum{fleet="$fleet"}[$__rate_interval]))`),
		lines("Items in a job", "none", "How large jobs are: the mean, and p99 within a factor of two. Over 10 items a job counts as bulk and takes its turn behind small ones.",
			"mean {{kind}}", mean(`frostfleet_job_items`, `{fleet="$fleet"}`, "kind")).
			and("p99 {{kind}}", quantile("0.99", `frostfleet_job_items_bucket{fleet="$fleet"}`, "kind")),
	}
}

func overviewLatency() []Panel {
	return []Panel{row("Latency"),
		latency("Small sign jobs", "From a job's storing in JOBS to its result's in RESULTS, jobs of up to 10 items. Users wait some 1 ms longer, for the way there and back and their own checks. Dots are single jobs with their trace. Steps of 2 s: attempts begin again without a node; look at the retries.",
			`frostfleet_job_seconds_bucket{fleet="$fleet", kind="sign", load="interactive"}`, "", "").
			exemplars().lined(good, from(0.25, bad)).
			alert("FrostfleetSigningSlow"),
		latency("Rounds of small sign jobs", "When, after the job's storing, the signing set stood (commitments) and all of its shares were there (shares). The first one grows: workers or bus. Only the second: a worker of the set is slow.",
			`frostfleet_rounds_seconds_bucket{fleet="$fleet", round=~"commitments|shares", load="interactive"}`, "round", " {{round}}"),
		latency("Bulk sign and keygen jobs", "The same for large jobs. They take as long as they are large; compare with the items in a job.",
			`frostfleet_job_seconds_bucket{fleet="$fleet", load="bulk"}`, "kind", " {{kind}}").exemplars(),
		heatmap("Small sign jobs by time taken", "Every job of the first panel. Two bands: some jobs meet something that others do not, such as one slow worker, or a restart.",
			`sum by (le) (increase(frostfleet_job_seconds_bucket{fleet="$fleet", kind="sign", load="interactive"}[$__rate_interval]))`).
			exemplars(),
		latency("Rounds of key generation", "When, after the job's storing, the deals of a batch and then all n certificates were there. One slow key provider slows both: every node certifies.",
			`frostfleet_rounds_seconds_bucket{fleet="$fleet", round=~"deals|certificates"}`, "round", " {{round}}").size(12, 8),
	}
}

func overviewErrors() []Panel {
	return []Panel{row("Errors"),
		bars("Jobs that failed", "By code: signing_failed, keygen_failed, poison and internal are the fleet's, the others the clients' own doing. The result's sentence and the dead letter name who was waited for.", "no job failed",
			"{{kind}} {{code}}", `sum by (kind, code) (increase(frostfleet_jobs_total{fleet="$fleet", code!="done"}[$__rate_interval])) > 0`).
			alert("FrostfleetSigningFails", "FrostfleetDeadLetters"),
		bars("Attempts begun again", "By the node that was to blame or late (its index), or none. Each costs its job two seconds. One node only: look at its page.", "no attempt began again",
			"{{kind}}, culprit {{culprit}}", `sum by (kind, culprit) (increase(frostfleet_retries_total{fleet="$fleet"}[$__rate_interval])) > 0`).
			alert("FrostfleetSigningRetries"),
		bars("Batches given up", "By code and culprit. restarted is harmless. A deal_ code with a culprit: that machine is broken or taken over, stop it and look at it.", "no batch was given up",
			"{{code}}, culprit {{culprit}}", `max by (code, culprit) (increase(frostfleet_aborts_total{fleet="$fleet"}[$__rate_interval])) > 0`).
			alert("FrostfleetBatchAborted"),
	}
}

func overviewSaturation() []Panel {
	return []Panel{row("Saturation and cost"),
		lines("Jobs that wait", "none", "Jobs in JOBS that no gateway has taken. Small for an instant is normal. Growing: gateways are full (six bulk sign jobs each) or none is ready.",
			"{{durable}}", `max by (durable) (frostfleet_bus_consumer_pending_messages{fleet="$fleet"})`).
			alert("FrostfleetJobsWaiting"),
		lines("Jobs in work", "none", "Jobs that each gateway holds. Flat and not 0 while none end: it is stuck on a node, see the retries.",
			"{{node}}", `frostfleet_jobs_in_work{fleet="$fleet"}`),
		lines("Processors in use", "none", "Processors that each program keeps busy. At the machine's number of them, bulk work is as fast as it gets.",
			"{{node}}", `rate(process_cpu_seconds_total{job="frostfleet", fleet="$fleet", node=~"$node"}[$__rate_interval])`),
	}
}

// fleetsFault are the codes of sign jobs that count against the objective, as
// in the alert rules.
const fleetsFault = "signing_failed|poison|internal"
