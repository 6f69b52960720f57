package chaos

// scenarios are all, in the order in which they run. Names and goals are those of the
// table in docs/reliability.md.
var scenarios = []scenario{
	{"faults", []goal{
		{"sign jobs failed under any single fault", "jobs", 0, false},
	}, everyFault, true},
	{"quota", []goal{
		{"another client at its quota: p50 of single signatures", "x undisturbed", 2, false},
		{"another client at its quota: p99 of single signatures", "x undisturbed", 3, false},
	}, atItsQuota, false},
	{"bulk", []goal{
		{"another client's bulk jobs: p99 of single signatures", "x undisturbed", 5, false},
	}, bulkJobs, false},
	{"others", []goal{
		{"another client's key generations: p99 of single signatures", "x undisturbed", 5, false},
		{"another client's rejected 1 MB jobs: p99 of single signatures", "x undisturbed", 5, false},
		{"another client's jobs for unknown keys: p99 of single signatures", "x undisturbed", 5, false},
	}, otherClients, false},
	{"leader-killed", []goal{
		{"kill -9 of the leader: longest time without a signature, beyond NATS's election", "s", 1, false},
	}, leaderKilled, false},
	{"gateways-away", []goal{
		{"both gateways away for 9 s: first signature after one is back", "s", 1, false},
	}, gatewaysAway, false},
	{"all-servers", []goal{
		{"all servers at once: first signature after the streams are back", "s", 2, false},
	}, allServers, false},
	{"follower-flaps", []goal{
		{"a follower flaps: longest time without a signature", "s", 1, false},
	}, followerFlaps, false},
	{"leader-hangs", []goal{
		{"the leader hangs for 20 s: longest time without a signature, beyond NATS's election", "s", 4, false},
	}, leaderHangs, false},
	{"gateway-killed", []goal{
		{"one of two gateways killed: p99 of single signatures", "s", 3, false},
	}, gatewayKilled, false},
	{"backlog", []goal{
		{"255 jobs queued, a server killed and restarted: done", "%", 100, true},
		{"255 jobs queued, a server killed and restarted: time", "x undisturbed", 2, false},
	}, backlog, false},
	{"withholding", []goal{
		{"a worker withholds its shares, after ten jobs: p50", "x undisturbed", 1.2, false},
	}, withholding, false},
	{"floods", []goal{
		{"a worker's credentials flood: p99 of single signatures", "x undisturbed", 3, false},
		{"a gateway's credentials flood: p99 of single signatures", "x undisturbed", 3, false},
	}, floods, false},
	{"register-lost", []goal{
		{"the register lost, one node's disk left: keys that are back", "%", 100, true},
	}, registerLost, false},
	{"clones", []goal{
		{"a clone beside a running worker: longest time until it has ended", "s", 2, false},
		{"a worker that goes on beside its clone: longest time until it has ended", "s", 2, false},
	}, clonedWorkers, false},
	{"reshare", []goal{
		{"keys move while programs are killed: jobs failed", "jobs", 0, false},
	}, resharing, false},
	{"one-server", []goal{
		{"three replicas against one server, idle: p50 of single signatures", "x", 1.6, false},
		{"three replicas against one server, idle: bulk signatures a second", "x", .95, true},
	}, oneServer, false},
}
