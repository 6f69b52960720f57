package protocol

import "slices"

// bulkQueue holds the bulk sign jobs that wait for capacity, and counts those that
// have it. Small jobs never wait.
type bulkQueue struct {
	waiting []*activeSign
	running map[string]int // by client
	total   int            // running, of all clients
}

func (q *bulkQueue) add(j *activeSign) { q.waiting = append(q.waiting, j) }

// next takes the oldest job of the client with the fewest in work; nil if none
// waits.
func (q *bulkQueue) next() *activeSign {
	q.waiting = slices.DeleteFunc(q.waiting, (*activeSign).over)
	if len(q.waiting) == 0 {
		return nil
	}
	best := 0
	for i, j := range q.waiting {
		if q.running[j.Signed.Client] < q.running[q.waiting[best].Signed.Client] {
			best = i
		}
	}
	j := q.waiting[best]
	q.waiting = slices.Delete(q.waiting, best, best+1)
	j.scheduled = true
	q.total++
	q.running[j.Signed.Client]++
	return j
}

// done gives back the capacity of a job, if it has some.
func (q *bulkQueue) done(j *activeSign) {
	if !j.scheduled {
		return
	}
	j.scheduled = false
	q.total--
	if q.running[j.Signed.Client]--; q.running[j.Signed.Client] == 0 {
		delete(q.running, j.Signed.Client)
	}
}
