// An intrusive first-in first-out list of operations, linked through Operation::state.next. Allocates nothing.
#pragma once

#include "io/operation.h"

namespace piecework::io {

// Thread-compatible. An operation is in at most one list.
class OperationList {
 public:
  bool empty() const { return first_ == nullptr; }

  void push_back(Operation& operation) {
    operation.state.next = nullptr;
    append(&operation, &operation);
  }
  // Appends a chain that is already linked from `first` to `last`.
  void append(Operation* first, Operation* last) {
    (first_ == nullptr ? first_ : last_->state.next) = first;
    last_ = last;
  }
  // Moves all of `other` to the end of this list.
  void append(OperationList& other) {
    if (other.empty()) return;
    append(other.first_, other.last_);
    other = {};
  }
  void push_front(Operation& operation) {
    operation.state.next = first_;
    if (first_ == nullptr) last_ = &operation;
    first_ = &operation;
  }
  // None where the list is empty.
  Operation* pop_front() {
    Operation* operation = first_;
    if (operation == nullptr) return nullptr;
    first_ = operation->state.next;
    if (first_ == nullptr) last_ = nullptr;
    operation->state.next = nullptr;
    return operation;
  }

 private:
  Operation* first_ = nullptr;
  Operation* last_ = nullptr;
};

}  // namespace piecework::io
