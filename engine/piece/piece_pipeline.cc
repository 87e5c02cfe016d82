#include "engine/piece/piece_pipeline.h"

#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <deque>

#include "engine/piece/piece_stages.h"
#include "engine/task_order.h"

namespace piecework::engine {
namespace {

namespace flow = tbb::flow;

struct Token;
using WorkNode = flow::function_node<Token*, Token*>;
using AsyncNode = flow::async_node<Token*, Token*>;

// A run and the operation that stores it.
struct Token {
  Run run;
  io::Operation write;
  AsyncNode::gateway_type* writer = nullptr;  // whom the end of `write` is told
};

using RecyclingNode = flow::multifunction_node<Token*, std::tuple<Token*>>;

// The wiring. Lives inside the arena for one piece.
class PieceGraph {
 public:
  PieceGraph(PieceStages& stages, std::deque<Token>& tokens, io::Backend& backend, const TaskOrder& order)
      : stages_(stages), tokens_(tokens), backend_(backend), order_(order) {
    flow::make_edge(flow::output_port<0>(source_), read_);
    flow::make_edge(read_, read_rest_);
    flow::make_edge(read_rest_, digest_);
    flow::make_edge(digest_, fill_order_);
    flow::make_edge(fill_order_, fill_);
    flow::make_edge(fill_, hash_);
    flow::make_edge(hash_, write_);
    flow::make_edge(write_, commit_order_);
    flow::make_edge(commit_order_, commit_);
    flow::make_edge(flow::output_port<0>(commit_), source_);
  }

  void run() {
    for (Token& token : tokens_) pass_on(&token, source_);
    graph_.wait_for_all();
  }

 private:
  void submit_write(Token* token, AsyncNode::gateway_type& gateway) {
    gateway.reserve_wait();
    token->writer = &gateway;
    token->write.request = stages_.write_request(token->run);
    token->write.user = token;
    token->write.complete = [](io::Operation& operation) { written(static_cast<Token*>(operation.user)); };
    backend_.submit(token->write);
  }

  static void written(Token* token) {
    AsyncNode::gateway_type& gateway = *token->writer;  // passed on, the token may be written again at once
    if (!token->write.result.ok()) {
      token->run.status = tl::unexpected<Error>(io::operation_error(token->write, ErrorSide::kDestination, "the CAR"));
    }
    pass_back(token, gateway);
  }

  PieceStages& stages_;
  std::deque<Token>& tokens_;
  io::Backend& backend_;
  const TaskOrder& order_;
  TaskOrder::SerialStage sourcing_;
  TaskOrder::SerialStage filling_;
  TaskOrder::SerialStage committing_;
  flow::graph graph_;

  RecyclingNode source_{graph_, flow::serial,
                        order_.serial(sourcing_, [this](Token* token, RecyclingNode::output_ports_type& ports) {
                          take_over(token);
                          if (stages_.source(token->run)) pass_on(token, std::get<0>(ports));
                        })};
  AsyncNode read_{graph_, flow::unlimited, order_.parallel([this](Token* token, AsyncNode::gateway_type& gateway) {
                    take_over(token);
                    gateway.reserve_wait();
                    stages_.read(token->run, [token, &gateway] { pass_back(token, gateway); });
                  })};
  AsyncNode read_rest_{graph_, flow::unlimited,
                       order_.parallel([this](Token* token, AsyncNode::gateway_type& gateway) {
                         take_over(token);
                         gateway.reserve_wait();
                         stages_.read_rest(token->run, [token, &gateway] { pass_back(token, gateway); });
                       })};
  WorkNode digest_{graph_, flow::unlimited, order_.parallel([this](Token* token) {
                     take_over(token);
                     stages_.digest(token->run);
                     hand_over(token);
                     return token;
                   })};
  flow::sequencer_node<Token*> fill_order_{graph_, [](Token* token) { return token->run.sequence; }};
  WorkNode fill_{graph_, flow::serial, order_.serial(filling_, [this](Token* token) {
                   take_over(token);
                   stages_.fill(token->run);
                   hand_over(token);
                   return token;
                 })};
  WorkNode hash_{graph_, flow::unlimited, order_.parallel([this](Token* token) {
                   take_over(token);
                   stages_.hash(token->run);
                   hand_over(token);
                   return token;
                 })};
  AsyncNode write_{graph_, flow::unlimited, order_.parallel([this](Token* token, AsyncNode::gateway_type& gateway) {
                     take_over(token);
                     if (stages_.wants_write(token->run)) return submit_write(token, gateway);
                     pass_on(token, gateway);
                   })};
  flow::sequencer_node<Token*> commit_order_{graph_, [](Token* token) { return token->run.sequence; }};
  RecyclingNode commit_{graph_, flow::serial,
                        order_.serial(committing_, [this](Token* token, RecyclingNode::output_ports_type& ports) {
                          take_over(token);
                          stages_.commit(token->run);
                          pass_on(token, std::get<0>(ports));
                        })};
};

}  // namespace

Result<PieceOutcome> run_piece(BatchReader records, ClassStore classes, const PieceInputs& inputs) {
  const PipelineLimits& limits = inputs.limits;
  const uint64_t section_bytes_max =
      std::max(RunBuilder::kSectionBytesMax, inputs.batch.totals.stored_section_bytes_max);
  PIECEWORK_CHECK(limits.slot_bytes >= section_bytes_max + kPageBytes && limits.slot_count > 0);
  PieceStages stages(std::move(records), std::move(classes), inputs);
  if (inputs.resume != nullptr) {
    PIECEWORK_TRY(stages.restore(*inputs.resume));
    if (inputs.resume->is_complete) return stages.finish();
  }
  PIECEWORK_ASSIGN(const std::unique_ptr<io::SlotPool> pool,
                   io::SlotPool::create({.slot_count = limits.slot_count, .slot_size_bytes = limits.slot_bytes}));
  std::deque<Token> tokens(limits.slot_count);
  for (Token& token : tokens) token.run.slot = *pool->try_acquire();
  tbb::task_arena arena(static_cast<int>(limits.thread_count));
  const TaskOrder order(arena);
  arena.execute([&] {
    PieceGraph graph(stages, tokens, inputs.backend, order);
    graph.run();
  });
  order.join();
  for (Token& token : tokens) pool->release(token.run.slot.index);
  return stages.finish();
}

}  // namespace piecework::engine
