package dashboards

// node answers: what is it with this program?
func node() Dashboard {
	return page("frostfleet-node", "Frostfleet: node",
		"What is it with this program? Choose one or several at the head of the page.", `fleet="$fleet"`,
		under(nodeNow(), nodeTraffic(), nodeErrors(), nodeSaturation())...)
}

func nodeNow() []Panel {
	return []Panel{row("Now"),
		states("Checks", "Every check of /readyz over time. Green passes. The body of /readyz says why one does not.",
			"{{node}} {{check}}", `frostfleet_check{fleet="$fleet", node=~"$node"}`, word{"0", "fails", bad}, word{"1", "passes", good}).size(12, 12).
			alert("FrostfleetNodeNotReady", "FrostfleetNodeFlapping"),
		list("Programs", "What runs where. All have the same manifest; another one is another fleet or an old file. Mixed versions belong to an upgrade and to nothing else.",
			`group by (node, role, version, fleet_name, manifest, goversion) (frostfleet_info{fleet="$fleet", node=~"$node"})`).size(12, 12),
		lines("Running for", "s", "Time since the start. A saw: the program keeps dying; read the end of its log.",
			"{{node}}", `time() - process_start_time_seconds{job="frostfleet", fleet="$fleet", node=~"$node"}`).
			alert("FrostfleetRestarting"),
		lines("Session key lasts for", "s", "Until when the worker may speak without its key provider. It is renewed long before; a line that falls towards 0 is a key provider that does not sign. Gateways have none.",
			"{{node}}", `clamp_min(frostfleet_session_key_expires_timestamp_seconds{fleet="$fleet", node=~"$node"} - time(), 0)`).lined(bad, from(120, good)).
			alert("FrostfleetSessionKeyNotRenewed"),
		lines("Keys", "none", "Keys that a worker has a share of, and keys in a gateway's directory. Equal, but for a moment, once started. A worker that restores itself climbs to the others.",
			"{{node}}", `frostfleet_keys{fleet="$fleet", node=~"$node"}`),
	}
}

func nodeTraffic() []Panel {
	return []Panel{row("Traffic"),
		lines("Events a second", "cps", "What the program did or saw in batches and signing sessions. The good ones only; the others are below.",
			"{{node}} {{event}}", `sum by (node, event) (rate(frostfleet_events_total{fleet="$fleet", node=~"$node", event!~"`+trouble+`"}[$__rate_interval]))`),
		lines("Keys and shares a second", "cps", "Keys dealt and complete, signature shares made, by suite. Workers of one fleet are near each other over minutes: who signs is decided by lot.",
			"{{node}} {{event}} {{suite}}", `sum by (node, event, suite) (rate(frostfleet_items_total{fleet="$fleet", node=~"$node"}[$__rate_interval]))`),
		lines("Items in a batch or session", "none", "The mean of the keys of a batch dealt in (keygen) and of the items of a session committed to (sign). Large jobs are cut into parts of up to 1,024.",
			"{{node}} {{kind}}", mean(`frostfleet_batch_items`, `{fleet="$fleet", node=~"$node"}`, "node, kind")),
	}
}

func nodeErrors() []Panel {
	return []Panel{row("Errors"),
		bars("Events of trouble", "aborted, retry and bad_task do not happen by themselves, refused only if a client asks for what it may not have. The log has a line for each, with its job.", "no trouble",
			"{{node}} {{event}}", `sum by (node, event) (increase(frostfleet_events_total{fleet="$fleet", node=~"$node", event=~"`+trouble+`"}[$__rate_interval])) > 0`),
		lines("Nonces a second", "cps", "Nonce pairs drawn, used for a share, and dropped unused. dropped is normal for those who commit and are not of the set. drawn without used: the worker is never in time.",
			"{{node}} {{state}}", `sum by (node, state) (rate(frostfleet_nonces_total{fleet="$fleet", node=~"$node"}[$__rate_interval]))`),
		lines("Key provider's signatures, p99", "s", "The worker's device, successful signatures. Over a second it holds the fleet up. More on the page of the key provider.",
			"{{node}}", quantile("0.99", `frostfleet_provider_call_seconds_bucket{fleet="$fleet", node=~"$node", operation="sign", outcome="ok"}`, "node")).
			lined(good, from(1, bad)).
			alert("FrostfleetKeyProviderSlow"),
	}
}

func nodeSaturation() []Panel {
	return []Panel{row("Saturation"),
		lines("Processors in use", "none", "Processors that the program keeps busy.",
			"{{node}}", `rate(process_cpu_seconds_total{job="frostfleet", fleet="$fleet", node=~"$node"}[$__rate_interval])`),
		lines("Memory", "bytes", "Resident memory. It grows with keys, not with time. Growing while the keys do not: report it.",
			"{{node}}", `process_resident_memory_bytes{job="frostfleet", fleet="$fleet", node=~"$node"}`),
		lines("Goroutines", "none", "Follows the work and comes back. Growing through idle hours: report it.",
			"{{node}}", `go_goroutines{job="frostfleet", fleet="$fleet", node=~"$node"}`),
		lines("Batches and sessions in work", "none", "Batches that a worker deals in, and signing sessions that it holds nonces of. Flat and not 0: something does not end; key generation waits for the slowest of all n nodes.",
			"{{node}} batches", `frostfleet_batches_in_work{fleet="$fleet", node=~"$node"}`).
			and("{{node}} sessions", `frostfleet_nonces_held{fleet="$fleet", node=~"$node"}`),
		lines("Disk free", "percentunit", "Of the disk under a worker's storage_path (storage) and under an embedded bus (bus). A full disk refuses new keys and loses none.",
			"{{node}} {{path}}", `frostfleet_disk_free_bytes{fleet="$fleet", node=~"$node"} / frostfleet_disk_size_bytes{fleet="$fleet", node=~"$node"}`).
			upTo(1).lined(bad, from(0.1, watch), from(0.2, good)).
			alert("FrostfleetDiskFilling"),
		lines("Keystore", "bytes", "Size of the keystore's file. It grows with the keys.",
			"{{node}}", `frostfleet_keystore_bytes{fleet="$fleet", node=~"$node"}`),
		lines("Open files", "percentunit", "Of those that the system allows the process. Near 1, connections fail.",
			"{{node}}", `process_open_fds{job="frostfleet", fleet="$fleet", node=~"$node"} / process_max_fds{job="frostfleet", fleet="$fleet", node=~"$node"}`).
			upTo(1),
		lines("Pauses of the garbage collector", "percentunit", "Share of the time for which the runtime stopped everything. Over a hundredth it is felt in small sign jobs.",
			"{{node}}", `rate(go_gc_duration_seconds_sum{job="frostfleet", fleet="$fleet", node=~"$node"}[$__rate_interval])`),
	}
}

// trouble are the events that an idle or healthy fleet does not have.
const trouble = "aborted|refused|retry|bad_task"
