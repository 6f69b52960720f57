package main

// simMutants run against whole fleets in the simulator: what its adversaries are for.
var simMutants = []Mutant{
	edit("certificates agree over other transcripts, in a fleet", messagesFile,
		"c.Transcript == o.Transcript && ", "").
		killed("two polynomials with one constant term give no keys", "test/sim", "TestSeeds",
			"-seeds", "60", "-profile", "split", "-until", "no key without n certificates"),
	edit("a batch's context is not compared, in a fleet", resultFile, "cert.Context != ctx || ", "").
		killed("an older batch does not answer a new job", "test/sim", "TestSeeds",
			"-seeds", "60", "-profile", "staller", "-until", "no key without n certificates"),
}
