package dashboards

// bus answers: does what is published arrive, and is there room for it?
func bus() Dashboard {
	return page("frostfleet-bus", "Frostfleet: bus",
		"NATS JetStream as the programs see it: does what is published arrive, in time, and is there room for more?", `fleet="$fleet"`,
		under(busNow(), busTraffic(), busLatency(), busErrors(), busSaturation())...)
}

func busNow() []Panel {
	return []Panel{row("Now"),
		states("Connections", "Green while the program is connected to NATS. All red at once: the servers, or the network to them. One: its machine, or its credentials.",
			"{{node}}", `frostfleet_bus_connected{fleet="$fleet", node=~"$node"}`, word{"0", "not connected", bad}, word{"1", "connected", good}).size(8, 8).
			alert("FrostfleetBusDown"),
		lines("Clocks", "s", "Each machine's clock minus the NATS server's. Two minutes are tolerated; over a second, mend NTP. All of them by the same: it is the server's clock.",
			"{{node}}", `frostfleet_bus_clock_offset_seconds{fleet="$fleet", node=~"$node"}`).bothWays().
			alert("FrostfleetClockSkew"),
		lines("Credentials last for", "s", "Until a certificate or a credential of the connection expires, by the program that saw it. Renew below two weeks.",
			"{{node}} {{credential}}", `(frostfleet_credential_expires_timestamp_seconds{fleet="$fleet", node=~"$node"} > 0) - time()`).empty("nothing here expires").
			lined(bad, from(2*24*3600, watch), from(14*24*3600, good)).
			alert("FrostfleetCredentialExpiring"),
	}
}

func busTraffic() []Panel {
	return []Panel{row("Traffic"),
		lines("Messages stored a second", "cps", "By stream, whoever published. JOBS and RESULTS are the clients' traffic, KEYS key generation, SIGN and WORK the work on both.",
			"{{stream}}", `max by (stream) (rate(frostfleet_bus_stream_stored_total{fleet="$fleet"}[$__rate_interval]))`),
		lines("Publishes a second", "cps", "Attempts of the chosen programs, by stream. exists is one of them: another was first, which is how slots work.",
			"{{stream}}", `sum by (stream) (rate(frostfleet_bus_publishes_total{fleet="$fleet", node=~"$node"}[$__rate_interval]))`),
		lines("Jobs delivered a second", "cps", "Jobs that came to gateways, deliveries that were not the first among them.",
			"{{durable}}", `sum by (durable) (rate(frostfleet_bus_deliveries_total{fleet="$fleet"}[$__rate_interval]))`),
	}
}

func busLatency() []Panel {
	return []Panel{row("Latency"),
		latency("Publishes", "From publish to the server's acknowledgement, by stream. KEYS, RESULTS and JOBS are written to disk before they are; the others are memory. Only the first ones slow: the server's disk.",
			`frostfleet_bus_publish_seconds_bucket{fleet="$fleet", node=~"$node"}`, "stream", " {{stream}}"),
		lines("Way to the server and back", "s", "The last measured round trip of each program. A signature needs several of them in turn.",
			"{{node}}", `frostfleet_bus_rtt_seconds{fleet="$fleet", node=~"$node"}`),
		heatmap("Publishes by time taken", "All that were acknowledged. A far second band is a server whose disk stalls.",
			`sum by (le) (increase(frostfleet_bus_publish_seconds_bucket{fleet="$fleet", node=~"$node"}[$__rate_interval]))`).size(8, 8),
	}
}

func busErrors() []Panel {
	return []Panel{row("Errors"),
		bars("Publishes that failed", "busy: the stream is full, or a client's quota of open jobs. denied: the permissions. disconnected: see the connections. unknown: NATS did not answer, often a full disk. no_stream: run frostctl bus apply. exists and conflict are no failures and not here.", "every publish arrived",
			"{{node}} {{stream}} {{outcome}}", `sum by (node, stream, outcome) (increase(frostfleet_bus_publishes_total{fleet="$fleet", node=~"$node", outcome!~"ok|exists|conflict|canceled"}[$__rate_interval])) > 0`).
			alert("FrostfleetBusNotWriting", "FrostfleetStreamFull", "FrostfleetPublishDenied"),
		bars("Jobs delivered again", "The gateway that had them died, stopped or took too long. Each waits ten seconds first. After a few the job ends as poison.", "no job came again",
			"{{durable}}", `sum by (durable) (increase(frostfleet_bus_redeliveries_total{fleet="$fleet"}[$__rate_interval])) > 0`).
			alert("FrostfleetRedeliveries"),
		bars("Reconnects", "By program. Now and then: an upgrade of the servers. Again and again: the network, or a server that falls over.", "no connection broke",
			"{{node}}", `sum by (node) (increase(frostfleet_bus_reconnects_total{fleet="$fleet", node=~"$node"}[$__rate_interval])) > 0`),
		bars("Dead letters", "Jobs that failed by the fleet's fault or that no gateway survived. Each is in DEADLETTER with its code and what was sent.", "no dead letter",
			"dead letters", `max(increase(frostfleet_bus_stream_stored_total{fleet="$fleet", stream="DEADLETTER"}[$__rate_interval])) > 0`).
			alert("FrostfleetDeadLetters"),
		lines("Reading is behind by", "s", "How old the first message is that a program has not read, by stream. Under half a minute at a start. Growing: the program is too slow, or hangs; over 30 s of KEYS it is not ready.",
			"{{node}} {{stream}}", `frostfleet_bus_follower_lag_seconds{fleet="$fleet", node=~"$node"}`).lined(good, from(30, bad)).
			alert("FrostfleetFollowerLag"),
		lines("Reading is behind by, in messages", "none", "The same, counted. After a start it falls to 0; a restored node has all of KEYS before it.",
			"{{node}} {{stream}}", `frostfleet_bus_follower_lag_messages{fleet="$fleet", node=~"$node"}`),
	}
}

func busSaturation() []Panel {
	return []Panel{row("Saturation"),
		lines("Jobs that wait", "none", "Not delivered to any gateway yet. Growing: gateways are full or gone.",
			"{{durable}}", `max by (durable) (frostfleet_bus_consumer_pending_messages{fleet="$fleet"})`).
			alert("FrostfleetJobsWaiting"),
		lines("Jobs not acknowledged", "none", "Delivered and in work at any gateway. The bus gives out no more than 1,024 keygen and 2,048 sign jobs at a time.",
			"{{durable}}", `max by (durable) (frostfleet_bus_consumer_unacknowledged_messages{fleet="$fleet"})`),
		lines("Messages in streams", "none", "Messages that each stream holds. JOBS is as long as its queue and what is in work.",
			"{{stream}}", `max by (stream) (frostfleet_bus_stream_messages{fleet="$fleet"})`),
		lines("Streams", "bytes", "Size of each stream. KEYS grows for ever, with the keys; the others forget.",
			"{{stream}}", `max by (stream) (frostfleet_bus_stream_bytes{fleet="$fleet"})`),
		lines("Streams, of their limit", "percentunit", "Streams with a limit only. At 1, KEYS and RESULTS refuse what is new; WORK and SIGN forget the oldest before their time, which breaks signing under way.",
			"{{stream}}", `max by (stream) (frostfleet_bus_stream_bytes{fleet="$fleet"}) / max by (stream) (frostfleet_bus_stream_limit_bytes{fleet="$fleet"})`).
			upTo(1).lined(good, from(0.8, bad)).
			alert("FrostfleetStreamFilling"),
		lines("KEYS grows in a day by", "bytes", "At the speed of the last six hours. Compare with what is free on the servers' disks, and on each worker's.",
			"KEYS", `86400 * max(deriv(frostfleet_bus_stream_bytes{fleet="$fleet", stream="KEYS"}[6h]))`).
			alert("FrostfleetStorageGrowth"),
		lines("JetStream's storage", "bytes", "What the account has stored, in files and in memory.",
			"{{storage}}", `max by (storage) (frostfleet_bus_storage_bytes{fleet="$fleet"})`),
		lines("JetStream's storage, of its limit", "percentunit", "At 1 every stream refuses what is new. Raise the account's limit, once the disk or the memory is there.",
			"{{storage}}", `max by (storage) (frostfleet_bus_storage_bytes{fleet="$fleet"}) / max by (storage) (frostfleet_bus_storage_limit_bytes{fleet="$fleet"})`).
			empty("the account has no limit; the disk is it").upTo(1).lined(good, from(0.9, bad)).
			alert("FrostfleetStorageGrowth"),
		lines("Disk free at an embedded bus", "percentunit", "Of the disk that a gateway with an embedded server keeps the streams on. Other servers: their own monitoring.",
			"{{node}}", `frostfleet_disk_free_bytes{fleet="$fleet", path="bus"} / frostfleet_disk_size_bytes{fleet="$fleet", path="bus"}`).
			empty("no gateway embeds the bus").upTo(1).lined(bad, from(0.05, watch), from(0.1, good)).
			alert("FrostfleetDiskFilling"),
	}
}
