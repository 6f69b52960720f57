package main

// simMutants run against whole fleets in the simulator: what its adversaries are for.
var simMutants = []Mutant{
	edit("a batch's context is not compared, in a fleet", certifiedFile, "cert.Context != ctx || ", "").
		killed("an older batch does not answer a new job", "test/sim", "TestSeeds",
			"-seeds", "60", "-profile", "staller", "-until", "no key without n certificates"),
}
