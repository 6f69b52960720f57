package bus

import (
	"fmt"
	"strconv"
	"strings"
)

// JobRef is where a client leaves a job: job.<kind>.<client>.
type JobRef struct{ Kind, Client string }

// JobSubject is job.<kind>.<client>.
func JobSubject(kind, client string) (string, error) { return join("job", kind, client) }

// ParseJob is the reverse of JobSubject.
func ParseJob(subject string) (JobRef, error) {
	t, err := splitAs(subject, "job", 3)
	if err != nil {
		return JobRef{}, err
	}
	return JobRef{Kind: t[1], Client: t[2]}, nil
}

// WorkRef is one attempt at one part of an accepted job.
type WorkRef struct {
	Lane, Client, Job string
	Part, Attempt     int
}

// WorkSubject is work.<lane>.<client>.<job>.<part>.<attempt>.
func WorkSubject(lane, client, job string, part, attempt int) (string, error) {
	if part < 0 || part > maxNumber || attempt < 0 || attempt > maxNumber {
		return "", fmt.Errorf("%w: part %d and attempt %d must be 0 to %d", ErrSubject, part, attempt, maxNumber)
	}
	return join("work", lane, client, job, strconv.Itoa(part), strconv.Itoa(attempt))
}

// ParseWork is the reverse of WorkSubject.
func ParseWork(subject string) (WorkRef, error) {
	t, err := splitAs(subject, "work", 6)
	if err != nil {
		return WorkRef{}, err
	}
	part, err := parseNumber(t[4], maxNumber)
	if err != nil {
		return WorkRef{}, err
	}
	attempt, err := parseNumber(t[5], maxNumber)
	if err != nil {
		return WorkRef{}, err
	}
	return WorkRef{Lane: t[1], Client: t[2], Job: t[3], Part: part, Attempt: attempt}, nil
}

// ResultRef names the result of a job.
type ResultRef struct{ Client, Job string }

// ResSubject is res.<client>.<job>, where a gateway stores a result.
func ResSubject(client, job string) (string, error) { return join("res", client, job) }

// ResultSubject is result.<client>.<job>, where the server announces what was
// stored; clients subscribe to it.
func ResultSubject(client, job string) (string, error) { return join("result", client, job) }

// ResultFilter is result.<client>.*, every result of a client as it is stored.
func ResultFilter(client string) (string, error) {
	if err := CheckToken(client); err != nil {
		return "", err
	}
	return "result." + client + ".*", nil
}

// ParseResult reads the subject of a result, stored (res) or announced (result).
func ParseResult(subject string) (ResultRef, error) {
	first := "res"
	if strings.HasPrefix(subject, "result.") {
		first = "result"
	}
	t, err := splitAs(subject, first, 3)
	if err != nil {
		return ResultRef{}, err
	}
	return ResultRef{Client: t[1], Job: t[2]}, nil
}

// DeadRef names a job that was given up.
type DeadRef struct{ Kind, Client, Job string }

// DeadSubject is dead.<kind>.<client>.<job>.
func DeadSubject(kind, client, job string) (string, error) { return join("dead", kind, client, job) }

// ParseDead is the reverse of DeadSubject.
func ParseDead(subject string) (DeadRef, error) {
	t, err := splitAs(subject, "dead", 4)
	if err != nil {
		return DeadRef{}, err
	}
	return DeadRef{Kind: t[1], Client: t[2], Job: t[3]}, nil
}

func join(first string, tokens ...string) (string, error) {
	if err := checkTokens(tokens...); err != nil {
		return "", err
	}
	return first + "." + strings.Join(tokens, "."), nil
}
