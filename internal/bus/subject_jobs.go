package bus

import "strings"

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

// ResultRef names the result of a job.
type ResultRef struct{ Client, Job string }

// ResSubject is res.<client>.<job>, where a gateway stores a result.
func ResSubject(client, job string) (string, error) { return join("res", client, job) }

// ResultSubject is result.<client>.<job>, where the server announces what was
// stored; clients subscribe to it.
func ResultSubject(client, job string) (string, error) { return join("result", client, job) }

// NoticeSubject is notice.<client>.<job>, announced as a result is, where a
// gateway leaves an answer that must not take the place of a stored result.
func NoticeSubject(client, job string) (string, error) { return join("notice", client, job) }

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
