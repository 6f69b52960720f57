// Command consttime measures whether the time of computations with secrets depends on these, as
// dudect does: many times with one secret, many with random ones, in random order, compared by
// Welch's t-test. It ends with an error if a difference shows that should not be there, three
// times in a row, or if one is not found that is.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"time"
)

func main() {
	samples := flag.Int("samples", 100_000, "computations for each subject and run")
	only := flag.String("only", "", "subjects that match `regexp`")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random inputs")
	flag.Parse()
	if err := run(*samples, *only, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "consttime:", err)
		os.Exit(1)
	}
}

func run(samples int, only string, seed uint64) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	all, err := subjects()
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 0))
	wrong := 0
	fmt.Printf("%d samples, seed %d; constant time: |t| < %v\n", samples, seed, threshold)
	for _, s := range all {
		if !match.MatchString(s.name) {
			continue
		}
		t, ok := s.test(r, samples)
		verdict := map[bool]string{true: "as it should be", false: "WRONG"}[ok]
		if s.leaks {
			verdict += " (leaks on purpose)"
		}
		fmt.Printf("%-58s |t| = %8.2f  %s\n", s.name, t, verdict)
		if !ok {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d subjects are not as they should be", wrong)
	}
	return nil
}
