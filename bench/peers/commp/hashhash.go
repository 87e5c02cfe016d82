// go-fil-commp-hashhash, the commP of Lotus, Boost and singularity.
package main

import (
	"bufio"
	"io"
	"time"

	commp "github.com/filecoin-project/go-fil-commp-hashhash"
)

// streamBufferBytes is stream-commp's: whole groups of 127 bytes.
const streamBufferBytes = (4 << 20) / 128 * 127

func hashStream(stream io.Reader) (report, error) {
	calc := new(commp.Calc)
	start := time.Now()
	payloadBytes, err := io.Copy(io.Discard, bufio.NewReaderSize(io.TeeReader(stream, calc), streamBufferBytes))
	if err != nil {
		return report{}, err
	}
	return finish(calc, payloadBytes, start)
}

func hashMemory(payload []byte) (report, error) {
	calc := new(commp.Calc)
	start := time.Now()
	if _, err := calc.Write(payload); err != nil {
		return report{}, err
	}
	return finish(calc, int64(len(payload)), start)
}

func finish(calc *commp.Calc, payloadBytes int64, start time.Time) (report, error) {
	digest, _, err := calc.Digest()
	return reportOf(digest, payloadBytes, start), err
}
