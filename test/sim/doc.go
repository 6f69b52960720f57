// Package sim runs whole fleets inside one goroutine: the real state machines
// of internal/protocol, a broker with the streams of JetStream, clients, and
// every fault that docs/security.md promises to survive. Everything is drawn from one
// seed, so a run that fails can be run again.
//
// # How to read a failure
//
// A failure names the seed, the rule that was broken, the fleet, and the last
// events:
//
//	seed 1234 (broker, 2 of 3): N3, one share a nonce pair: node 1 made ...
//	    12.040 w1.2 <- SIGN #7 sign.3f...commit.0
//	    12.041 w1.2 report sat_out ...
//	replay: go test ./test/sim -run TestSeeds -seed=1234 -seeds=1 -v
//
// The first column is virtual seconds. "w1.2" is the second life of node 1, a
// twin is "w1.2t", "g0" a gateway, "c0" a client; "<-" is a message that a
// process was shown, "->" one that it sent, "!" a fault. With -v the replay
// prints every event. The rule's name is the first words of the message and is
// listed in rules.go; a panic of a state machine is a failure as well.
//
// # How it works
//
// A world holds a heap of events in virtual time. Processes perform the
// effects of their machine: what takes time comes back as an event later. A
// plan, drawn from the seed, says which faults this run has and how often.
// After the workload the fleet is healed and must sign with every key that it
// announced.
//
// What a run can't show: the constants of internal/protocol are the real ones,
// so jobs of more than a thousand keys, which are cut into several batches,
// do not occur here.
package sim
