package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
)

// openKeys opens a keys file to append proofs to it, and makes it if it is not there. A
// crash, or a full disk, may have cut off its last line: a line that ours knows as one of
// its own goes away, as it will be written again. So do zero bytes behind it, which a file
// system has where power failed before the data came. Others are the user's to judge.
func openKeys(path string, ours func(torn []byte) bool) (_ *os.File, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("--out %s: %w", path, err), file.Close())
		}
	}()
	if !isRegular(file) {
		return file, nil
	}
	start, torn, err := lastLine(file)
	text := bytes.TrimRight(torn, "\x00")
	switch {
	case err != nil || len(torn) == 0:
		return file, err
	case json.Valid(text) && (len(text) == len(torn) || ours(text)): // only its end is missing
		if err = file.Truncate(start + int64(len(text))); err == nil {
			_, err = file.Write([]byte("\n"))
		}
	case ours(text):
		err = file.Truncate(start)
	default:
		err = errors.New("its last line is cut off: go on with the keygen that wrote it (--resume), " +
			"or remove that line")
	}
	return file, errors.Join(err, file.Sync())
}

func isRegular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// lastLine returns what stands behind the last line end of a file, and where.
func lastLine(f *os.File) (start int64, line []byte, err error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, nil, err
	}
	for n := int64(64 << 10); ; n *= 4 {
		start = max(0, size-n)
		line = make([]byte, size-start)
		if _, err = io.ReadFull(io.NewSectionReader(f, start, size-start), line); err != nil {
			return 0, nil, err
		}
		if i := bytes.LastIndexByte(line, '\n'); i >= 0 || start == 0 {
			return start + int64(i) + 1, line[i+1:], nil
		}
		if n > maxLine {
			return 0, nil, fmt.Errorf("a line is longer than %d MiB: this is not a file of one JSON object a line",
				maxLine>>20)
		}
	}
}

// begins reports whether a line that was cut off is the beginning of the proof of one of
// these jobs of a client.
func begins(torn []byte, name string, jobs []client.SavedJob) bool {
	for _, job := range jobs {
		var line bytes.Buffer
		proof := client.Proof{Client: name, Job: job.Payload, Result: json.RawMessage("0")}
		if err := printJSON(&line, proof); err != nil {
			continue
		}
		head := bytes.TrimSuffix(line.Bytes(), []byte("0}\n"))
		if n := min(len(head), len(torn)); bytes.Equal(head[:n], torn[:n]) {
			return true
		}
	}
	return false
}

// readDone verifies the proofs of these jobs that a keys file has already, and hands them
// to fn. Lines of other jobs are left alone.
func readDone(cmd *cobra.Command, path string, c *client.Client, jobs []client.SavedJob,
	fn func(client.Proof, []client.Key) error) error {
	ours := map[string]bool{} // by payload
	for _, job := range jobs {
		ours[job.Payload] = true
	}
	return readLines(cmd, "out", path, func(line []byte) error {
		var p client.Proof
		if err := json.Unmarshal(line, &p); err != nil {
			return fmt.Errorf("not a line of frostctl keygen: %w", err)
		}
		if !ours[p.Job] || p.Client != c.Name() { // anybody may publish these bytes in a job of his own
			return nil
		}
		keys, err := p.Verify(c.Manifest())
		if err != nil {
			return err
		}
		delete(ours, p.Job) // one that is there twice counts once
		return fn(p, keys)
	})
}
