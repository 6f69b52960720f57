package protocol

func checkCut(t interface {
	Fatalf(string, ...any)
}, job *Job, m *Manifest) {
}
